"""Tables, and one function a question: `mirror` for slots and looks, `schools` for schools, thresholds, parameters."""
