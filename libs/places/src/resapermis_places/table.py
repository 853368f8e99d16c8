"""The places of France in which exams are held: departments, and overseas what stands in the place of one.

The one table: services, the sandbox and the web's `places.ts` (`make places`) all have it from here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

PARIS = "Europe/Paris"


@dataclass(frozen=True, slots=True)
class Place:
    """A department or an overseas collectivity, by the code that RdvPermis publishes slots under ("94", "2A", "975").

    Latitude and longitude are its prefecture's, in degrees, to about a kilometre. Names are proper nouns: one language.
    """

    code: str
    name: str
    latitude: float
    longitude: float
    zone: str = PARIS
    """IANA zone in which hours are meant there; of those with several (987), the capital's."""


# Codes and names: INSEE's official geographic code. Zones: zone.tab of the IANA database, by the country codes GP, MQ,
# GF, RE, PM, YT, BL, MF, WF, PF and NC. Not here: the French Southern Lands (984) and Clipperton (989), where nobody lives.
_ROWS = (
    Place("01", "Ain", 46.20, 5.22),
    Place("02", "Aisne", 49.56, 3.62),
    Place("03", "Allier", 46.57, 3.33),
    Place("04", "Alpes-de-Haute-Provence", 44.09, 6.24),
    Place("05", "Hautes-Alpes", 44.56, 6.08),
    Place("06", "Alpes-Maritimes", 43.70, 7.27),
    Place("07", "Ardèche", 44.73, 4.60),
    Place("08", "Ardennes", 49.77, 4.72),
    Place("09", "Ariège", 42.97, 1.61),
    Place("10", "Aube", 48.30, 4.07),
    Place("11", "Aude", 43.21, 2.35),
    Place("12", "Aveyron", 44.35, 2.57),
    Place("13", "Bouches-du-Rhône", 43.30, 5.37),
    Place("14", "Calvados", 49.18, -0.37),
    Place("15", "Cantal", 44.93, 2.44),
    Place("16", "Charente", 45.65, 0.16),
    Place("17", "Charente-Maritime", 46.16, -1.15),
    Place("18", "Cher", 47.08, 2.40),
    Place("19", "Corrèze", 45.27, 1.77),
    Place("2A", "Corse-du-Sud", 41.92, 8.74),
    Place("2B", "Haute-Corse", 42.70, 9.45),
    Place("21", "Côte-d'Or", 47.32, 5.04),
    Place("22", "Côtes-d'Armor", 48.51, -2.76),
    Place("23", "Creuse", 46.17, 1.87),
    Place("24", "Dordogne", 45.18, 0.72),
    Place("25", "Doubs", 47.24, 6.02),
    Place("26", "Drôme", 44.93, 4.89),
    Place("27", "Eure", 49.02, 1.15),
    Place("28", "Eure-et-Loir", 48.45, 1.48),
    Place("29", "Finistère", 48.00, -4.10),
    Place("30", "Gard", 43.84, 4.36),
    Place("31", "Haute-Garonne", 43.60, 1.44),
    Place("32", "Gers", 43.65, 0.59),
    Place("33", "Gironde", 44.84, -0.58),
    Place("34", "Hérault", 43.61, 3.88),
    Place("35", "Ille-et-Vilaine", 48.11, -1.68),
    Place("36", "Indre", 46.81, 1.69),
    Place("37", "Indre-et-Loire", 47.39, 0.69),
    Place("38", "Isère", 45.19, 5.72),
    Place("39", "Jura", 46.67, 5.55),
    Place("40", "Landes", 43.89, -0.50),
    Place("41", "Loir-et-Cher", 47.59, 1.33),
    Place("42", "Loire", 45.44, 4.39),
    Place("43", "Haute-Loire", 45.04, 3.88),
    Place("44", "Loire-Atlantique", 47.22, -1.55),
    Place("45", "Loiret", 47.90, 1.91),
    Place("46", "Lot", 44.45, 1.44),
    Place("47", "Lot-et-Garonne", 44.20, 0.62),
    Place("48", "Lozère", 44.52, 3.50),
    Place("49", "Maine-et-Loire", 47.47, -0.55),
    Place("50", "Manche", 49.12, -1.09),
    Place("51", "Marne", 48.96, 4.36),
    Place("52", "Haute-Marne", 48.11, 5.14),
    Place("53", "Mayenne", 48.07, -0.77),
    Place("54", "Meurthe-et-Moselle", 48.69, 6.18),
    Place("55", "Meuse", 48.77, 5.16),
    Place("56", "Morbihan", 47.66, -2.76),
    Place("57", "Moselle", 49.12, 6.18),
    Place("58", "Nièvre", 46.99, 3.16),
    Place("59", "Nord", 50.63, 3.06),
    Place("60", "Oise", 49.43, 2.08),
    Place("61", "Orne", 48.43, 0.09),
    Place("62", "Pas-de-Calais", 50.29, 2.78),
    Place("63", "Puy-de-Dôme", 45.78, 3.08),
    Place("64", "Pyrénées-Atlantiques", 43.30, -0.37),
    Place("65", "Hautes-Pyrénées", 43.23, 0.08),
    Place("66", "Pyrénées-Orientales", 42.70, 2.90),
    Place("67", "Bas-Rhin", 48.58, 7.75),
    Place("68", "Haut-Rhin", 48.08, 7.36),
    Place("69", "Rhône", 45.76, 4.84),
    Place("70", "Haute-Saône", 47.62, 6.15),
    Place("71", "Saône-et-Loire", 46.31, 4.83),
    Place("72", "Sarthe", 48.00, 0.20),
    Place("73", "Savoie", 45.57, 5.92),
    Place("74", "Haute-Savoie", 45.90, 6.12),
    Place("75", "Paris", 48.86, 2.35),
    Place("76", "Seine-Maritime", 49.44, 1.10),
    Place("77", "Seine-et-Marne", 48.54, 2.66),
    Place("78", "Yvelines", 48.80, 2.13),
    Place("79", "Deux-Sèvres", 46.32, -0.46),
    Place("80", "Somme", 49.89, 2.30),
    Place("81", "Tarn", 43.93, 2.15),
    Place("82", "Tarn-et-Garonne", 44.02, 1.35),
    Place("83", "Var", 43.12, 5.93),
    Place("84", "Vaucluse", 43.95, 4.81),
    Place("85", "Vendée", 46.67, -1.43),
    Place("86", "Vienne", 46.58, 0.34),
    Place("87", "Haute-Vienne", 45.83, 1.26),
    Place("88", "Vosges", 48.17, 6.45),
    Place("89", "Yonne", 47.80, 3.57),
    Place("90", "Territoire de Belfort", 47.64, 6.86),
    Place("91", "Essonne", 48.63, 2.44),
    Place("92", "Hauts-de-Seine", 48.89, 2.21),
    Place("93", "Seine-Saint-Denis", 48.91, 2.44),
    Place("94", "Val-de-Marne", 48.79, 2.46),
    Place("95", "Val-d'Oise", 49.04, 2.08),
    Place("971", "Guadeloupe", 16.00, -61.73, "America/Guadeloupe"),
    Place("972", "Martinique", 14.60, -61.07, "America/Martinique"),
    Place("973", "Guyane", 4.94, -52.33, "America/Cayenne"),
    Place("974", "La Réunion", -20.88, 55.45, "Indian/Reunion"),
    Place("975", "Saint-Pierre-et-Miquelon", 46.78, -56.18, "America/Miquelon"),
    Place("976", "Mayotte", -12.78, 45.23, "Indian/Mayotte"),
    Place("977", "Saint-Barthélemy", 17.90, -62.85, "America/St_Barthelemy"),
    Place("978", "Saint-Martin", 18.07, -63.08, "America/Marigot"),
    Place("986", "Wallis-et-Futuna", -13.28, -176.17, "Pacific/Wallis"),
    Place("987", "Polynésie française", -17.54, -149.57, "Pacific/Tahiti"),
    Place("988", "Nouvelle-Calédonie", -22.27, 166.44, "Pacific/Noumea"),
)
PLACES: Mapping[str, Place] = {place.code: place for place in _ROWS}
"""By code, mainland first."""


def zone_of(department: str) -> str:
    """IANA zone of a department by its code; Paris' for a code that is none, so that an unknown one still has days."""
    place = PLACES.get(department)
    return PARIS if place is None else place.zone


def _pattern() -> str:
    tens = groupby(PLACES, key=lambda code: code[:-1])
    return "^(" + "|".join(f"{start}[{''.join(code[-1] for code in codes)}]" for start, codes in tens) + ")$"


CODE_PATTERN = _pattern()
"""Regular expression of exactly the table's codes, as JSON Schema, JavaScript and Python read it alike."""
