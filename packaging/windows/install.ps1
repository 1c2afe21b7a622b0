#Requires -Version 5.1
#Requires -RunAsAdministrator
<#
.SYNOPSIS
  Installs scout-agent from the folder that this script lies in, as a Windows service; run again, it upgrades.
.DESCRIPTION
  Copies the program to -Destination, makes %ProgramData%\scout-agent, which only SYSTEM, Administrators and the service may
  enter, and registers the service scout-agent under an account of its own that has no other rights. Nothing is fetched: WinSW,
  which makes a service of a program, is handed over with -WinSW (WinSW-x64.exe of https://github.com/winsw/winsw/releases).
  The configuration is left as it is. The service starts once there is one.
.PARAMETER WinSW
  The WinSW program, version 2.12 or a later 2.x.
.PARAMETER WinSWSha256
  Its SHA-256, where your house keeps one; it is compared, and printed in any case.
.EXAMPLE
  .\install.ps1 -WinSW C:\Downloads\WinSW-x64.exe
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param(
  [Parameter(Mandatory = $true)] [ValidateScript({ Test-Path -LiteralPath $_ -PathType Leaf })] [string] $WinSW,
  [ValidatePattern('^[0-9A-Fa-f]{64}$')] [string] $WinSWSha256,
  [string] $Destination = (Join-Path $env:ProgramFiles 'scout-agent')
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$name = 'scout-agent'
$account = "NT SERVICE\$name"
$data = Join-Path $env:ProgramData $name
$wrapper = Join-Path $Destination "$name-service.exe"

function Invoke-Program([string] $Program, [string[]] $Arguments) {
  & $Program @Arguments
  if ($LASTEXITCODE -ne 0) { throw "$Program $($Arguments -join ' ') ended with status $LASTEXITCODE" }
}

$found = (Get-FileHash -LiteralPath $WinSW -Algorithm SHA256).Hash
if ($WinSWSha256 -and $found -ne $WinSWSha256) { throw "$WinSW is not the one that was asked for: its SHA-256 is $found" }
Write-Output "WinSW: SHA-256 $found"

# The whole program or none of it: a running one is stopped first, and goes on from its outbox.
$service = Get-Service -Name $name -ErrorAction SilentlyContinue
$running = $service -and $service.Status -eq 'Running'
if (-not $PSCmdlet.ShouldProcess($Destination, "install $name")) { return }
if ($running) { Stop-Service -Name $name }
if (Test-Path -LiteralPath $Destination) { Remove-Item -LiteralPath $Destination -Recurse -Force }
New-Item -ItemType Directory -Path $Destination | Out-Null
foreach ($item in 'node.exe', 'package.json', 'bin', 'dist', 'scout-agent.cmd', 'LICENSE', 'THIRD-PARTY', 'install.ps1', 'uninstall.ps1') {
  Copy-Item -LiteralPath (Join-Path $PSScriptRoot $item) -Destination $Destination -Recurse
}
Copy-Item -LiteralPath $WinSW -Destination $wrapper
Copy-Item -LiteralPath (Join-Path $PSScriptRoot 'scout-agent.xml') -Destination (Join-Path $Destination "$name-service.xml")

if (-not $service) { Invoke-Program $wrapper @('install') }
# An account of the service's own, which exists once the service does: it has no password and no rights but those given below.
Invoke-Program 'sc.exe' @('config', $name, 'obj=', $account)
Invoke-Program 'sc.exe' @('sidtype', $name, 'unrestricted')

# Closed before anything is in it. By number, since names of groups differ between languages: S-1-5-18 SYSTEM, S-1-5-32-544
# Administrators. The service reads the configuration and host.key, and writes only
# to three folders below.
New-Item -ItemType Directory -Path $data -Force | Out-Null
Invoke-Program 'icacls.exe' @($data, '/inheritance:r', '/grant:r', '*S-1-5-18:(OI)(CI)F', '*S-1-5-32-544:(OI)(CI)F', "${account}:(OI)(CI)RX", '/Q')
foreach ($folder in 'state', 'run', 'service') {
  $path = Join-Path $data $folder
  New-Item -ItemType Directory -Path $path -Force | Out-Null
  Invoke-Program 'icacls.exe' @($path, '/grant:r', "${account}:(OI)(CI)M", '/Q')
}

$configured = 'config.toml', 'config.yml', 'config.yaml', 'agent.env' | Where-Object { Test-Path -LiteralPath (Join-Path $data $_) }
if ($configured) {
  Start-Service -Name $name
  Write-Output "$name is installed in $Destination, and runs: & '$Destination\scout-agent.cmd' status"
} else {
  Write-Output "$name is installed in $Destination, and starts once it has a configuration:"
  Write-Output "  & '$Destination\scout-agent.cmd' enroll https://hub.example.com:8443"
  Write-Output "  Start-Service $name"
}
