"""What every room stands on: errors, sentences in two languages, atomic files, registries, the machine.

Knows nothing of tasks, models or the store, and imports no other room.
"""
