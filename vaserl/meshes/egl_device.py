"""Chooses the EGL device for rendering: the GPU that the process also computes on.

EGL lists all GPUs of a machine regardless of CUDA_VISIBLE_DEVICES. pyrender uses the first GPU of this list unless
EGL_DEVICE_ID is set to the index of another. Without this module, all workers of a node with eight GPUs would render on
the same GPU.
"""

import ctypes
from collections.abc import Sequence

_EGL_CUDA_DEVICE_NV = 0x323A  # extension EGL_NV_device_cuda: index among the devices visible to CUDA in this process
_MAX_DEVICES = 64


def device_of_this_process() -> int:
    """Returns the EGL index of the first GPU that is visible to CUDA in this process; 0 if there is none or EGL doesn't
    report CUDA indices."""
    return index_of_lowest(cuda_ordinals())


def index_of_lowest(ordinals: Sequence[int | None]) -> int:
    """Returns the index in the list of the smallest CUDA ordinal, ignoring None; 0 if the list contains no ordinal."""
    seen = [(ordinal, index) for index, ordinal in enumerate(ordinals) if ordinal is not None]
    return min(seen)[1] if seen else 0


def cuda_ordinals() -> list[int | None]:
    """Returns the CUDA index of each EGL device; None for a device that isn't visible to CUDA in this process.

    The list is empty when EGL is missing or can't list its devices.
    """
    try:
        egl = ctypes.CDLL("libEGL.so.1")
    except OSError:
        return []
    egl.eglGetProcAddress.restype = ctypes.c_void_p
    egl.eglGetProcAddress.argtypes = [ctypes.c_char_p]
    list_devices = egl.eglGetProcAddress(b"eglQueryDevicesEXT")
    query_device = egl.eglGetProcAddress(b"eglQueryDeviceAttribEXT")
    if not list_devices or not query_device:
        return []
    # EGLBoolean (EGLint, EGLDeviceEXT *, EGLint *) and EGLBoolean (EGLDeviceEXT, EGLint, EGLAttrib *)
    list_devices = ctypes.CFUNCTYPE(ctypes.c_uint, ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p)(list_devices)
    query_device = ctypes.CFUNCTYPE(ctypes.c_uint, ctypes.c_void_p, ctypes.c_int32, ctypes.c_void_p)(query_device)
    devices, number, value = (ctypes.c_void_p * _MAX_DEVICES)(), ctypes.c_int32(), ctypes.c_ssize_t()
    if not list_devices(_MAX_DEVICES, devices, ctypes.byref(number)):
        return []
    return [
        value.value if query_device(device, _EGL_CUDA_DEVICE_NV, ctypes.byref(value)) else None
        for device in devices[: number.value]
    ]
