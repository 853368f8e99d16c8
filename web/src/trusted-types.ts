/**
 * The page runs under `require-trusted-types-for 'script'`. The one sink in use is React's innerHTML of Mantine's <style> elements:
 * text without "<" can make no element, so the default policy lets exactly that through and nothing else.
 */
interface PolicyFactory {
  createPolicy(name: string, rules: { createHTML: (text: string) => string }): unknown;
}

const factory = (globalThis as { trustedTypes?: PolicyFactory }).trustedTypes;

factory?.createPolicy("default", {
  createHTML(text) {
    if (text.includes("<")) throw new TypeError("HTML is never set from text here");
    return text;
  },
});
