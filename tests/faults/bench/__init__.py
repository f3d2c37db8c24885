"""The fault bench: a real agent among real peers, ill-treated by a script drawn from a seed, and one checker at the end."""
