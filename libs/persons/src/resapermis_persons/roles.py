"""The nine roles of people, in one place; what each may do, the policies say (`policies/*.cedar`)."""

from enum import StrEnum


class Role(StrEnum):
    """What a person is to ResaPermis, as principals, policies and accounts name it."""

    SCHOOL_ADMIN = "school_admin"
    SCHOOL_MANAGER = "school_manager"
    TRAINER = "trainer"
    SUPERVISOR = "supervisor"
    CANDIDATE = "candidate"
    DPO = "dpo"
    SECURITY_OFFICER = "security_officer"
    PLATFORM_ADMIN = "platform_admin"
    AUDITOR = "auditor"


OF_A_SCHOOL = frozenset({Role.SCHOOL_ADMIN, Role.SCHOOL_MANAGER, Role.TRAINER})
"""Roles of a school's employees, whom RdvPermis knows."""
OF_NO_SCHOOL = frozenset(Role) - OF_A_SCHOOL
"""Roles of people who are not RdvPermis employees: invited, and signed in by a passkey."""
MANAGERS = frozenset({Role.SCHOOL_ADMIN, Role.SCHOOL_MANAGER})
"""Who runs a school."""
