"""The only code that talks to RdvPermis: tokens attached, calls counted, answers believed only when they fit."""
