# A hardened ESP32-S3: the port's own settings for the chip, then ours.
include(boards/mpconfigboard_esp32s3_common.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/../../common/hardened.cmake)
