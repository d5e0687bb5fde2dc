"""Sets that are asked for and have no reader, because no public source shows how their files are laid out."""

from __future__ import annotations

# Name → what was searched and not found. A layout is never guessed: a source turns an entry into a reader.
UNKNOWN: dict[str, str] = {
    "miml": (
        "qcf-568/MIML (both READMEs, get_pks.py, its file list), string and issue search: only a loader's generic "
        "imgs/ with a .png mask of the same stem is known, and no file name of the set"
    ),
    "diffseg30k": (
        "Chaos2629/Diffseg30k: a download script shows the pattern train_copy/[0-9]{8}.image.png with .mask.png inside "
        "train.zip, no verbatim name, and masks that may hold class ids; a mirror has columns only"
    ),
    "hires50k": (
        "github.com/Mu437/HiDA-Net, utils/dataset_source.py, has the folders (W_0900/0_real …) and public "
        "inspections of huggingface.co/datasets/Mu437/HiRes-50K the archives' names; no picture's name was found"
    ),
    "seq_deepfake": (
        "the README of github.com/rshaojimmy/SeqDeepFake shows the tree (facial_components/images/train/nose-eye-lip) "
        "and gives every picture the same placeholder for a name"
    ),
    "so_fake": (
        "the README of github.com/hzlsaber/So-Fake links the set; a public fetcher's test names two shards of "
        "So-Fake-OOD (test_image-00000-of-00046.parquet and the last); no third name, and none of So-Fake-Set"
    ),
    "manipbench": "code, documentation and string search (also for ManipShield): no repository, page or file name",
}
