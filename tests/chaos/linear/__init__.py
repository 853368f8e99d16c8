"""Many schools at once on a few slots of one basket with several replicas; the record is judged by `history`."""
