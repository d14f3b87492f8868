#!/usr/bin/env python3
"""A Keras model as a safetensors file: from_keras.py MODEL OUTPUT.safetensors
MODEL is a .keras or .h5 file of a whole model, or the name of a keras.applications network (its ImageNet weights are fetched by Keras).
Names are LAYER/kernel, LAYER/moving_mean, ...; layouts stay Keras' own, which are graft's. Needs keras, a backend, safetensors."""
import os
import sys

import keras
import numpy as np
from safetensors.numpy import save_file


def arrays(layer, found):
    """All variables of a model and of the models in it, by their layer's name."""
    for inner in getattr(layer, "layers", []):
        arrays(inner, found)
    if getattr(layer, "layers", None):
        return
    for variable in layer.variables if hasattr(layer, "variables") else []:
        leaf = variable.name.split("/")[-1].split(":")[0]
        if leaf == "seed_generator_state":  # of Dropout and augmentation
            continue
        name = layer.name + "/" + leaf
        if name in found:
            sys.exit("two layers are called '%s'; rename one (layer.name) and run this again." % layer.name)
        found[name] = np.ascontiguousarray(np.asarray(variable))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, output = sys.argv[1:]
    if os.path.exists(source):
        model = keras.models.load_model(source, compile=False)
    elif hasattr(keras.applications, source):
        model = getattr(keras.applications, source)(weights="imagenet")
    else:
        sys.exit("'%s' is neither a file nor a network of keras.applications." % source)
    found = {}
    arrays(model, found)
    save_file(found, output, metadata={"framework": "keras " + keras.__version__, "model": model.name, "input": str(model.input_shape)})
    print("%s: %d arrays, %d numbers" % (output, len(found), sum(a.size for a in found.values())))


if __name__ == "__main__":
    main()
