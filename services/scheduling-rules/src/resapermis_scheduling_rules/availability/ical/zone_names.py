"""Names that programs give time zones in calendars which do not describe the zone themselves. Pure."""

import re
from collections.abc import Mapping

_DISTANCE = re.compile(r"\(?(?:UTC|GMT)\s*(?:([+-])(\d{1,2})(?::?00)?)?\)?", re.IGNORECASE)
_PREFIX = re.compile(r"^\((?:UTC|GMT)(?:[+-]\d{1,2}:\d{2})?\)\s*", re.IGNORECASE)
_PATH = re.compile(r"/[\w.-]+/[\w.-]+/((?:Europe|America|Indian|Pacific|Africa|Etc)/[\w/+-]+)")
# What Windows shows for a zone (Outlook writes that for some exports), in English and French, without the distance before it;
# those in which a place of France lies, their neighbours', and what Lotus calls the zone of both.
_SHOWN: Mapping[str, str] = {
    "brussels, copenhagen, madrid, paris": "Europe/Paris",
    "bruxelles, copenhague, madrid, paris": "Europe/Paris",
    "western/central europe": "Europe/Paris",
    "amsterdam, berlin, bern, rome, stockholm, vienna": "Europe/Berlin",
    "amsterdam, berlin, berne, rome, stockholm, vienne": "Europe/Berlin",
    "belgrade, bratislava, budapest, ljubljana, prague": "Europe/Budapest",
    "sarajevo, skopje, warsaw, zagreb": "Europe/Warsaw",
    "sarajevo, skopje, varsovie, zagreb": "Europe/Warsaw",
    "dublin, edinburgh, lisbon, london": "Europe/London",
    "dublin, édimbourg, lisbonne, londres": "Europe/London",
    "coordinated universal time": "Etc/UTC",
    "temps universel coordonné": "Etc/UTC",
    "georgetown, la paz, manaus, san juan": "America/Guadeloupe",
    "cayenne, fortaleza": "America/Cayenne",
    "saint pierre and miquelon": "America/Miquelon",
    "saint-pierre-et-miquelon": "America/Miquelon",
    "port louis": "Indian/Reunion",
    "nairobi": "Indian/Mayotte",
    "solomon is., new caledonia": "Pacific/Noumea",
    "îles salomon, nouvelle-calédonie": "Pacific/Noumea",
    "hawaii": "Pacific/Tahiti",
    "hawaï": "Pacific/Tahiti",
    "marquesas islands": "Pacific/Marquesas",
    "îles marquises": "Pacific/Marquesas",
}


def iana_name(name: str) -> str | None:
    """The IANA zone meant by a name that a program shows people, or by a distance from Greenwich; None: not known here.

    IANA's and Windows' own names are not: the calendar library knows them.
    """
    if (found := _DISTANCE.fullmatch(name)) is not None:
        sign, hours = found.groups()
        if sign is None or int(hours) == 0:
            return "Etc/UTC"
        return f"Etc/GMT{'-' if sign == '+' else '+'}{int(hours)}" if int(hours) <= 12 else None
    if (path := _PATH.fullmatch(name)) is not None:
        return path[1]
    return _SHOWN.get(_PREFIX.sub("", name).strip().lower())
