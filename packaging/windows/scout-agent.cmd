@echo off
rem Runs scout-agent on the Node beside it. Options meant for another Node must not reach this one.
setlocal
set "NODE_OPTIONS="
set "NODE_EXTRA_CA_CERTS="
set "NODE_TLS_REJECT_UNAUTHORIZED="
set "NODE_PATH="
"%~dp0node.exe" "%~dp0bin\scout-agent.js" %*
