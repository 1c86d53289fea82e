"""What is transferred: finding a source model by its name, saying where it is, and opening it.

::

    bundled/<id>              comes with the studio
    timm/<name>               of timm, on the hub
    <owner>/<name>[@revision] any model of the hub with config.json and model.safetensors
    ./folder  /folder         a model folder on this machine
    ./bundle.zip              a bundle that the studio made, or a zipped model folder
    library/<id>              published on this server
    uploaded/<id>             uploaded to this server

Weights are safetensors only, and code of a model repository never runs. Knows no task and no dataset.
"""

from tlcore.models.lookup import find, sources_for
from tlcore.models.source_availability import Availability, availability, describe, known, open_source
from tlcore.models.source_model import SourceModel

__all__ = ["Availability", "SourceModel", "availability", "describe", "find", "known", "open_source", "sources_for"]
