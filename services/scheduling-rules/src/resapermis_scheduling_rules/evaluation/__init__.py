"""All rules answer: evaluated, explained, judged again, and what follows for thresholds and standing."""
