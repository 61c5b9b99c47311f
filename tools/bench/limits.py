"""What a notebook may take on a learner's two cores. `make bench-course` holds it to that, tests only to the memory."""

FIRST_CELL_SECONDS = 3  # what a notebook imports, and its data, once they lie in the machine's memory
CELL_SECONDS = 20
NOTEBOOK_SECONDS = 90
COURSE_SECONDS = 300
KERNEL_MB_ABOVE_IMPORT = 600  # resident, above `import torch, torchvision`
IMPORT_SHARE = 0.10  # what `import course_utils` may add to the seconds that torch and torchvision take
LAB_MB = 250  # Binder gives JupyterLab and one kernel 2 GB together
HANG_SECONDS = 1800  # no limit: after so long a cell is taken to hang, on a busy machine too
