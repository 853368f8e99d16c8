import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))
sys.path.append(str(Path(__file__).parents[3] / "services" / "basket" / "tests"))  # basket's peers as small servicers
