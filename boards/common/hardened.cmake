# Adds the hardening to the port's settings for a chip; the last line that names a key wins.
# IDF does not expand variables in sdkconfig, and looks for the table under the port: hence a line
# with the whole path, written when cmake runs.
set(TROTH_TABLE ${CMAKE_BINARY_DIR}/sdkconfig.partitions)
file(WRITE ${TROTH_TABLE}
    "CONFIG_PARTITION_TABLE_CUSTOM=y\n"
    "CONFIG_PARTITION_TABLE_CUSTOM_FILENAME=\"${MICROPY_BOARD_DIR}/partitions.csv\"\n"
)

list(APPEND SDKCONFIG_DEFAULTS
    ${CMAKE_CURRENT_LIST_DIR}/sdkconfig.hardened
    ${MICROPY_BOARD_DIR}/sdkconfig.board
    ${TROTH_TABLE}
)

set(MICROPY_FROZEN_MANIFEST ${MICROPY_BOARD_DIR}/manifest.py)
