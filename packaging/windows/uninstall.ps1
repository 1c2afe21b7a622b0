#Requires -Version 5.1
#Requires -RunAsAdministrator
<#
.SYNOPSIS
  Stops and removes the service and the program. Configuration, key and outbox stay, unless -Purge is given.
.PARAMETER Purge
  Deletes %ProgramData%\scout-agent as well, and says each file. End the host's key at the service too.
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param(
  [switch] $Purge,
  [string] $Destination = (Join-Path $env:ProgramFiles 'scout-agent')
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$name = 'scout-agent'
$data = Join-Path $env:ProgramData $name
if (-not $PSCmdlet.ShouldProcess($Destination, "remove $name")) { return }

$service = Get-Service -Name $name -ErrorAction SilentlyContinue
if ($service) {
  if ($service.Status -ne 'Stopped') { Stop-Service -Name $name }
  & sc.exe delete $name
  if ($LASTEXITCODE -ne 0) { throw "sc.exe delete $name ended with status $LASTEXITCODE" }
}
if (Test-Path -LiteralPath $Destination) { Remove-Item -LiteralPath $Destination -Recurse -Force }

if ($Purge -and (Test-Path -LiteralPath $data)) {
  Get-ChildItem -LiteralPath $data -Recurse -Force -File | ForEach-Object { Write-Output "deleted: $($_.FullName)" }
  Remove-Item -LiteralPath $data -Recurse -Force
} elseif (Test-Path -LiteralPath $data) {
  Write-Output "Kept: $data (configuration, key, outbox). With -Purge it is deleted."
}
