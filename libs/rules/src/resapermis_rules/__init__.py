"""What a rule answers, its closed words, and the rules that scheduling-rules and basket both state. Pure: values in, values out."""
