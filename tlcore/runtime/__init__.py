"""What a bundle's predict.py is made of: pictures and tables read, examples prepared, answers made.

The studio uses the same code, so training and predict cannot differ. Needs no torch.
"""
