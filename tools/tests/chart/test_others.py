"""The declarations by which operators' kinds are read have the CRDs' own names."""

from chart.others.operators import TYPES, renamed

DECLARED = """\
import { ApiObject, type ApiObjectMetadata } from 'cdk8s';
import { Construct } from 'constructs';
export declare class Cluster extends ApiObject {
    static readonly GVK: GroupVersionKind;
    constructor(scope: Construct, id: string, props: ClusterProps);
}
export interface ClusterSpec {
    /**
     * @schema ClusterSpec#enablePDB
     */
    readonly enablePdb?: boolean;
    /**
     * @schema ClusterSpec#size
     */
    readonly size: ClusterSpecSize;
    /**
     * @schema ClusterSpec#method
     */
    readonly method?: Method;
}
export declare function toJson_ClusterSpec(obj: ClusterSpec | undefined): Record<string, any> | undefined;
export declare enum Method {
    /** any */
    ANY = "any",
    /** first */
    FIRST = "first"
}
export declare class ClusterSpecSize {
    readonly value: number | string;
    static fromNumber(value: number): ClusterSpecSize;
    private constructor();
}
"""


def test_fields_have_their_own_names_amounts_are_values_and_choices_words() -> None:
    text = renamed(DECLARED)
    assert 'readonly "enablePDB"?: boolean;' in text
    assert 'readonly "size": ClusterSpecSize;' in text
    assert 'export type Method = "any" | "first";' in text
    assert "export type ClusterSpecSize = number | string;" in text
    assert not {"declare", "import", "enablePdb", "toJson_ClusterSpec"} & set(text.replace("(", " ").split())


def test_each_type_is_of_one_kind() -> None:
    assert len({kind for _, kind, _ in TYPES.values()}) == len(TYPES)
