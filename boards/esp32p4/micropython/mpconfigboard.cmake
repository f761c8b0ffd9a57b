# A hardened ESP32-P4: the port's own settings for the chip, then ours.
include(boards/mpconfigboard_esp32p4_common.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/../../common/hardened.cmake)
