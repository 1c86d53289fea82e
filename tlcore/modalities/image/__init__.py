"""Pictures as examples: decoded once, judged, kept as files under their content's name.

Never trains and never splits; a picture that cannot be used is a rejected row, not a failure.
"""
