"""The package's tables. Secrets are hashed or sealed."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from resapermis_kit.database.metadata import NAMING

metadata = sa.MetaData(naming_convention=NAMING)
MOMENT = sa.DateTime(timezone=True)

accounts = sa.Table(
    "account",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("issuer", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("school_id", sa.Text, nullable=False),
    sa.Column("roles", ARRAY(sa.Text), nullable=False),
    sa.Column("person_key", sa.LargeBinary, nullable=False),
    sa.Column("profile", sa.LargeBinary, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False),
    sa.Column("signed_in_at", MOMENT, nullable=False),
    sa.UniqueConstraint("issuer", "subject"),
    sa.Index("account_school_id_idx", "school_id"),
)
"""A person at one provider. `profile` (display name, e-mail address, language) is sealed under the wrapped `person_key`.

`school_id` is where RdvPermis last said that they work. `roles`, those there, is for replicas of release 0.2.0: `account_role` counts.
"""

account_roles = sa.Table(
    "account_role",
    metadata,
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("account.id"), primary_key=True),
    sa.Column("school_id", sa.Text, primary_key=True),
    sa.Column("roles", ARRAY(sa.Text), nullable=False),
)
"""What a person may at a school. Of a school that they left the row stays, and opens nothing: a session acts for one school."""

sessions = sa.Table(
    "session",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("cookie_hash", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("account.id"), nullable=False),
    sa.Column("school_id", sa.Text, nullable=False),
    sa.Column("school_name", sa.Text, nullable=False),
    sa.Column("department", sa.Text, nullable=False),
    sa.Column("provider_sid", sa.Text, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False),
    sa.Column("seen_at", MOMENT, nullable=False),
    sa.Column("ended_at", MOMENT),
    sa.Column("end_cause", sa.Text),
    sa.Column("browser", sa.Text, nullable=False, server_default=""),
    sa.Column("system", sa.Text, nullable=False, server_default=""),
    sa.Column("authenticated_at", MOMENT),
    sa.Index("session_live_idx", "seen_at", postgresql_where=sa.text("ended_at IS NULL")),
    sa.Index("session_account_id_idx", "account_id"),
    sa.Index("session_live_provider_sid_idx", "provider_sid", postgresql_where=sa.text("ended_at IS NULL")),
)
"""`cookie_hash` is SHA-256 of the cookie: a stolen database opens no session. `browser` and `system` are words of a closed list.

`authenticated_at`: when the person proved at the provider who they are; absent: it does not say.
"""

logout_tokens = sa.Table(
    "logout_token",
    metadata,
    sa.Column("token_hash", sa.LargeBinary, primary_key=True),
    sa.Column("counts_until", MOMENT, nullable=False),
)
"""Logout tokens of the provider that came, by the SHA-256 of their id: each counts once, while it would still be believed."""

attempts = sa.Table(
    "sign_in_attempt",
    metadata,
    sa.Column("state_hash", sa.LargeBinary, primary_key=True),
    sa.Column("browser_hash", sa.LargeBinary, nullable=False),
    sa.Column("return_to", sa.Text, nullable=False),
    sa.Column("started_at", MOMENT, nullable=False),
    sa.Column("used_at", MOMENT),
    sa.Column("max_age_seconds", sa.Integer, nullable=False, server_default="0"),
    sa.Column("grant_session_id", sa.Uuid),
    sa.Column("page", sa.LargeBinary),
    sa.Index("sign_in_attempt_started_at_idx", "started_at"),
    sa.Index("sign_in_attempt_open_idx", "started_at", postgresql_where=sa.text("used_at IS NULL")),
)
"""A sign-in under way, for ten minutes; once used, where it led (`page`, sealed), for who comes back to its callback. Nonce and PKCE verifier are not stored: they derive from the browser's pre-login cookie.

`max_age_seconds`: how recent a proof it asked for; 0: none. Here, where no browser can change it.
`return_to` is "/", for replicas of release 0.2.0. `grant_session_id`: not a sign-in, but the way to a grant for background work, begun in that session.
"""

tokens = sa.Table(
    "token",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("session_id", sa.Uuid, sa.ForeignKey("session.id", ondelete="CASCADE")),
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("account.id"), nullable=False),
    sa.Column("school_id", sa.Text, nullable=False),
    sa.Column("access", sa.LargeBinary),
    sa.Column("access_expires_at", MOMENT, nullable=False),
    sa.Column("refresh", sa.LargeBinary),
    sa.Column("refresh_expires_at", MOMENT),
    sa.Column("lease_until", MOMENT),
    sa.Column("created_at", MOMENT, nullable=False),
    sa.Column("dead_at", MOMENT),
    sa.Column("reason", sa.Text),
    sa.Column("ends_at", MOMENT),
    sa.Column("used_at", MOMENT),
    sa.Column("refused_at", MOMENT),
    sa.Column("warned_days", sa.Integer),
    sa.CheckConstraint("kind IN ('session', 'grant')", name="kind"),
    sa.CheckConstraint("(kind = 'session') = (session_id IS NOT NULL)", name="session"),
    sa.CheckConstraint("dead_at IS NULL OR (access IS NULL AND refresh IS NULL)", name="dead_has_no_secret"),
    sa.CheckConstraint("(kind = 'grant') = (ends_at IS NOT NULL)", name="grant_ends"),
    sa.Index("token_session_id_idx", "session_id"),
    sa.Index("token_account_id_idx", "account_id"),
    sa.Index("token_one_live_a_session_idx", "session_id", unique=True, postgresql_where=sa.text("dead_at IS NULL")),
    sa.Index("token_live_school_id_idx", "school_id", postgresql_where=sa.text("dead_at IS NULL")),
    sa.Index(
        "token_one_live_grant_idx",
        "account_id",
        "school_id",
        unique=True,
        postgresql_where=sa.text("kind = 'grant' AND dead_at IS NULL"),
    ),
)
"""`refresh_expires_at` absent: the provider named no end (offline token).

Of grants: `ends_at`, until when its owner gave it; `used_at`, the hour of its last use; `refused_at`, since when RdvPermis takes it no longer;
`warned_days`, how many days before its end that was last said.
"""

revocations = sa.Table(
    "revocation",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("token_id", sa.Uuid, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("due_at", MOMENT, nullable=False),
    sa.Column("ends_at", MOMENT, nullable=False),
    sa.Column("issuer", sa.Text, nullable=False, server_default=""),
    sa.Column("subject", sa.Text, nullable=False, server_default=""),
    sa.CheckConstraint("kind IN ('access', 'refresh')", name="kind"),
    sa.Index("revocation_due_at_idx", "due_at"),
)
"""Tokens that the provider is still to revoke, sealed as they were in the row `token_id`; at `ends_at` they end by themselves.

`issuer` and `subject` say whose they are as long as no row of `token` keeps them; of others that row's account does.
"""

rate_counts = sa.Table(
    "rate_count",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("who", sa.LargeBinary, primary_key=True),
    sa.Column("moments", ARRAY(MOMENT), nullable=False),
    sa.Column("over_at", MOMENT, nullable=False),
    prefixes=["UNLOGGED"],
)
"""Requests of one address within one window, at most as many as the limit; `over_at`: when none of them counts any more.

`who` is a keyed hash of the address. Unlogged: a crash of PostgreSQL, or a failover, forgets the counts.
"""

replicas = sa.Table(
    "replica",
    metadata,
    sa.Column("process", sa.Text, primary_key=True),
    sa.Column("place", sa.Text, primary_key=True),
    sa.Column("parts", sa.Integer, nullable=False),
    sa.Column("seen_at", MOMENT, nullable=False),
    prefixes=["UNLOGGED"],
)
"""Replicas of "auth-gateway" (web) and "egress" and where they run; each uses one of `parts` parts of a limit, 0: nothing."""

people = sa.Table(
    "person",
    metadata,
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("account.id"), primary_key=True),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("scope", ARRAY(sa.Text), nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("invited_by", sa.Uuid, sa.ForeignKey("account.id")),
    sa.Column("created_at", MOMENT, nullable=False),
    sa.Column("changed_at", MOMENT, nullable=False),
    sa.CheckConstraint(
        "role IN ('supervisor', 'candidate', 'dpo', 'security_officer', 'platform_admin', 'auditor')", name="role"
    ),
    sa.CheckConstraint("state IN ('invited', 'active', 'suspended', 'left')", name="state"),
)
"""Somebody who is not an RdvPermis employee (ADR 45): what they are to us, for which departments (`scope`; empty: all), and whether they may sign in.

Name, address and language are the account's, sealed; what they may stands in `account_role` too, where sessions read it.
`invited_by` absent: the first administrator, by a code.
"""

invitations = sa.Table(
    "invitation",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("person.account_id"), nullable=False),
    sa.Column("made_at", MOMENT, nullable=False),
    sa.Column("ends_at", MOMENT, nullable=False),
    sa.Column("used_at", MOMENT),
    sa.Column("withdrawn_at", MOMENT),
    sa.Index(
        "invitation_one_open_idx",
        "account_id",
        unique=True,
        postgresql_where=sa.text("used_at IS NULL AND withdrawn_at IS NULL"),
    ),
)
"""Counts once, until `ends_at`; a new one withdraws the one before."""

invitation_links = sa.Table(
    "invitation_link",
    metadata,
    sa.Column("token_hash", sa.LargeBinary, primary_key=True),
    sa.Column("invitation_id", sa.Uuid, sa.ForeignKey("invitation.id", ondelete="CASCADE"), nullable=False),
    sa.Column("made_at", MOMENT, nullable=False),
    sa.Index("invitation_link_invitation_id_idx", "invitation_id"),
)
"""SHA-256 of the word in each mail of an invitation: made as the mail goes out, and stored nowhere else. Any of them opens it."""

passkeys = sa.Table(
    "passkey",
    metadata,
    sa.Column("credential_id", sa.LargeBinary, primary_key=True),
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("person.account_id"), nullable=False),
    sa.Column("public_key", sa.LargeBinary, nullable=False),
    sa.Column("sign_count", sa.BigInteger, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False),
    sa.Column("used_at", MOMENT, nullable=False),
    sa.Index("passkey_account_id_idx", "account_id"),
)
"""A person's WebAuthn credential: its public half, and how often its authenticator says that it signed."""

passkey_challenges = sa.Table(
    "passkey_challenge",
    metadata,
    sa.Column("challenge_hash", sa.LargeBinary, primary_key=True),
    sa.Column("browser_hash", sa.LargeBinary, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("secret_hash", sa.LargeBinary),
    sa.Column("account_id", sa.Uuid),
    sa.Column("started_at", MOMENT, nullable=False),
    sa.CheckConstraint("purpose IN ('sign_in', 'invitation', 'first_administrator')", name="purpose"),
    sa.CheckConstraint("(purpose = 'sign_in') = (secret_hash IS NULL AND account_id IS NULL)", name="about"),
    sa.Index("passkey_challenge_started_at_idx", "started_at"),
)
"""A challenge that an authenticator is to sign, for five minutes; its row goes at the first answer, whatever that is worth.

`secret_hash`: of the invitation's word or the first administrator's code with which it was asked; `account_id`: whose passkey it is to be.
"""

administrator_codes = sa.Table(
    "first_administrator_code",
    metadata,
    sa.Column("code_hash", sa.LargeBinary, primary_key=True),
    sa.Column("made_at", MOMENT, nullable=False),
    sa.Column("ends_at", MOMENT, nullable=False),
    sa.Column("used_at", MOMENT),
)
"""SHA-256 of codes by which somebody becomes the first administrator of the platform; `resapermisctl people` makes them."""
