#!/usr/bin/env python3
"""A PyTorch model as a safetensors file: from_torch.py MODEL OUTPUT.safetensors
MODEL is a .pt or .pth file with a state dict, or the name of a torchvision network (its default weights are fetched by torchvision).
Names and layouts stay PyTorch's; graft permutes at import. Needs torch, safetensors, and torchvision for names."""
import os
import sys

import torch
from safetensors.torch import save_file


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, output = sys.argv[1:]
    if os.path.exists(source):
        state = torch.load(source, map_location="cpu", weights_only=True)
        state = state.get("state_dict", state)
    else:
        import torchvision
        if not hasattr(torchvision.models, source):
            sys.exit("'%s' is neither a file nor a network of torchvision." % source)
        state = getattr(torchvision.models, source)(weights="DEFAULT").state_dict()
    # clone: safetensors refuses tensors that share memory.
    state = {name: tensor.detach().clone().contiguous() for name, tensor in state.items() if isinstance(tensor, torch.Tensor)}
    save_file(state, output, metadata={"framework": "torch " + torch.__version__, "model": source})
    print("%s: %d arrays, %d numbers" % (output, len(state), sum(t.numel() for t in state.values())))


if __name__ == "__main__":
    main()
