// A hardened ESP32-H2: what it is called; what is closed stands in hardened.h.
#define MICROPY_HW_BOARD_NAME "Troth hardened ESP32-H2"
#define MICROPY_HW_MCU_NAME "ESP32H2"

#include "../../common/hardened.h"
