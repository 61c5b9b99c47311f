"""What a notebook may take on a learner's two cores. Tests and `make bench-course` hold it to the same."""

CELL_SECONDS = 20
NOTEBOOK_SECONDS = 90
COURSE_SECONDS = 300
KERNEL_MB_ABOVE_IMPORT = 600  # resident, above `import torch, torchvision`
IMPORT_SHARE = 0.10  # what `import course_utils` may add to the seconds that torch and torchvision take
LAB_MB = 250  # Binder gives JupyterLab and one kernel 2 GB together
