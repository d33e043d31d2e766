"""The Space's entry point: build the page and serve it. All else is in gansr/."""

# isort: off — service first: on ZeroGPU, spaces must be imported before torch
from gansr.ui import service
from gansr.ui.log import start_log
from gansr.ui.middleware.proxy import switch_off_uvicorns
from gansr.ui.page import LAUNCH, build
from gansr.ui.shutdown import serve
from gansr.ui.temp_files import PLACE, start_cleanup

demo = build()

if __name__ == "__main__":
    service.BACKEND.start()
    start_cleanup(PLACE)
    start_log()
    switch_off_uvicorns()
    serve(demo, LAUNCH)
