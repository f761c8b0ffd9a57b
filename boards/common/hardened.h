// What a hardened board leaves out of MicroPython: every way to a prompt.
// No UART, USB or USB-JTAG console is compiled in; WebREPL's C part goes with its frozen module.
#define MICROPY_HW_ENABLE_UART_REPL (0)
#define MICROPY_HW_ENABLE_USBDEV (0)
#define MICROPY_HW_USB_CDC (0)
#define MICROPY_HW_ESP_USB_SERIAL_JTAG (0)
#define MICROPY_PY_WEBREPL (0)
