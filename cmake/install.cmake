# The two libraries that others link, and what `make install` writes.
#
# Static: every object is linked into one (-r), in which hidden names become local. So libsmidgen.a defines
# the names of include/smidgen.h and nothing else: a program may bring its own yyjson, or its own function of
# one of our internal names. Shared: the same objects; hidden names are not exported.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(ONE_OBJECT ${CMAKE_BINARY_DIR}/smidgen_one.o)
add_custom_command(OUTPUT ${ONE_OBJECT}
  COMMAND ${CMAKE_C_COMPILER} -r -nostdlib -o ${ONE_OBJECT} $<TARGET_OBJECTS:smidgen>
  COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${ONE_OBJECT}
  DEPENDS smidgen $<TARGET_OBJECTS:smidgen>
  COMMENT "Linking the objects into one and hiding internal names"
  COMMAND_EXPAND_LISTS VERBATIM)
set_source_files_properties(${ONE_OBJECT} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)

add_library(smidgen_static STATIC ${ONE_OBJECT})
set_target_properties(smidgen_static PROPERTIES OUTPUT_NAME smidgen LINKER_LANGUAGE C)

add_library(smidgen_shared SHARED $<TARGET_OBJECTS:smidgen>)
set_target_properties(smidgen_shared PROPERTIES OUTPUT_NAME smidgen EXPORT_NAME smidgen LINKER_LANGUAGE C
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
target_link_options(smidgen_shared PRIVATE -Wl,--no-undefined)

foreach(LIBRARY smidgen_static smidgen_shared)
  target_include_directories(${LIBRARY} INTERFACE $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include>
                                                  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endforeach()
target_link_libraries(smidgen_static INTERFACE m Threads::Threads ${SYSTEM_LIBRARIES})
target_link_libraries(smidgen_shared PRIVATE m Threads::Threads ${SYSTEM_LIBRARIES})
list(TRANSFORM SYSTEM_LIBRARIES PREPEND "-l" OUTPUT_VARIABLE SYSTEM_LIBRARY_FLAGS)

install(TARGETS smidgen_static smidgen_shared EXPORT smidgen-targets)
install(FILES include/smidgen.h include/smidgen_errors.def DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT smidgen-targets NAMESPACE smidgen:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/smidgen)
configure_package_config_file(cmake/smidgen-config.cmake.in smidgen-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/smidgen)
write_basic_package_version_file(smidgen-config-version.cmake COMPATIBILITY SameMinorVersion)
set(PKGCONFIG_FOLDER ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH PREFIX_FROM_PKGCONFIG /${PKGCONFIG_FOLDER} /)
configure_file(cmake/smidgen.pc.in smidgen.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/smidgen-config.cmake ${CMAKE_BINARY_DIR}/smidgen-config-version.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/smidgen)
install(FILES ${CMAKE_BINARY_DIR}/smidgen.pc DESTINATION ${PKGCONFIG_FOLDER})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
