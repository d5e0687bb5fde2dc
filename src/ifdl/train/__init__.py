"""Training: a recipe, the pictures it forges, the loop, and what a run writes. Needs the train extra (torch).

recipe      what to train, on what and how: frozen dataclasses, filled from one YAML file
data        forged pictures by worker processes, the same stream whatever their number; the validation set
schedule    parameter groups (full, frozen, LoRA), learning rate over time, moving average of the weights
supervision what a system may see of a batch: masks, graded masks, or labels alone
loop        the loop itself
board       progress, tables, JSONL and TensorBoard
checkpoint  safetensors and JSON, whole or not at all
pack        one folder that trains without network
"""
