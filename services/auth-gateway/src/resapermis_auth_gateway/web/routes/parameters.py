"""Parameters that several routes share."""

from typing import Annotated

from fastapi import Path, Query

from resapermis_auth_gateway.web.bodies import ID_PATTERN

Cursor = Annotated[
    str, Query(max_length=500, pattern=r"^[\x21-\x7e]*$", description="`nextCursor` of the page before.")
]
Limit = Annotated[int, Query(ge=1, le=100, description="Items a page.")]
PathId = Annotated[str, Path(pattern=ID_PATTERN)]
