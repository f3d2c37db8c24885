"""The words every room speaks: frames, predictions, scores, verdicts, events, errors, and the seams between rooms."""
