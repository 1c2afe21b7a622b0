import { accessSync, constants, lstatSync, readdirSync, type Stats, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { openingOf } from '../../config/resolve.ts';
import { findHostKey, fleetingHostKey } from '../../secrets/host-key.ts';
import { detailOf } from '../../support/errors.ts';
import { type Finding, findings, ofProblem } from './finding.ts';
import { closedTo, groupOf, shown, userOf } from './owners.ts';
import type { Patient } from './patient.ts';

const { ok, warning, failed, denied } = findings('permissions');

/** Whether configuration and folders belong to whom they must, and are closed to others. */
export function checkPermissions({ resolution, resolving, state, socket, agent }: Patient): Finding[] {
  // Windows has no modes.
  if (process.platform === 'win32') return [];
  const rows: Finding[] = [ok('user', `looked at as ${userName()}`)];
  const where = openingOf(resolving);
  // The host key is handed over, and not read by the agent's user.
  const read = resolution.watch.filter((path) => path !== findHostKey(where));
  if (resolution.file) rows.push(...files(resolution.file, read, statOf(state)));
  const fleeting = fleetingHostKey(where);
  if (fleeting) rows.push(ofProblem('permissions', 'host key', fleeting));
  rows.push(...stateFolder(state));
  const runtime = statOf(dirname(socket));
  if (runtime instanceof Error) {
    if (agent.kind === 'answers') rows.push(unseen('runtime folder', dirname(socket), runtime));
  } else rows.push(folder('runtime folder', dirname(socket), runtime));
  return rows;
}

/** What is read at the start, by the agent's own user, whose the state folder is: root, who looks, may read all of it. */
function files(own: string, read: string[], state: Stats | Error): Finding[] {
  if (state instanceof Error) return [file(own)];
  const { uid, gid } = state;
  const rows = closedTo(uid, gid, [...new Set([own, ...read])]).map(({ file, at, folder }) => {
    // The agent watches the folder too, which takes reading it.
    const bit = folder ? 'rx' : 'r';
    const text = `${file}: ${userOf(uid)}, as whom the agent runs, may not ${folder ? `enter ${at}` : 'read it'}`;
    return failed(file === own ? 'configuration' : 'file', text, `Run: chgrp ${groupOf(gid)} ${at} && chmod g+${bit} ${at}`, { exit: 77 });
  });
  return rows.some(({ name }) => name === 'configuration') ? rows : [file(own), ...rows];
}

/** What the check says of modes it says itself; here stands whose the file is. */
function file(path: string): Finding {
  const stat = statOf(path);
  if (stat instanceof Error) return unseen('configuration', path, stat);
  try {
    accessSync(path, constants.R_OK);
  } catch (error) {
    return unseen('configuration', path, error as Error);
  }
  return ok('configuration', `${path}: ${shown(stat)}`);
}

function stateFolder(path: string): Finding[] {
  const stat = statOf(path);
  if (stat instanceof Error) {
    const absent = (stat as NodeJS.ErrnoException).code === 'ENOENT';
    return [
      absent
        ? warning('state folder', `${path} is not there yet`, 'The agent makes it when it starts.')
        : unseen('state folder', path, stat),
    ];
  }
  const rows = [folder('state folder', path, stat)];
  let names: string[];
  try {
    names = readdirSync(path);
  } catch (error) {
    return [...rows, unseen('state files', path, error as Error)];
  }
  const foreign: string[] = [];
  const open: string[] = [];
  for (const name of names) {
    const one = statOf(join(path, name), lstatSync);
    if (one instanceof Error || !one.isFile()) continue;
    if (one.uid !== stat.uid) foreign.push(name);
    // The number of the process is for everybody.
    if ((one.mode & 0o007) !== 0 && !/\.lock(\.pid)?$/.test(name)) open.push(name);
  }
  const owner = `${userOf(stat.uid)}:${groupOf(stat.gid)}`;
  if (foreign.length > 0)
    rows.push(
      failed('state files', `${path} belongs to ${userOf(stat.uid)}, and in it do not: ${few(foreign)}`, `Run: chown -R ${owner} ${path}`, {
        exit: 77,
      }),
    );
  if (open.length > 0) rows.push(warning('state files', `others may use: ${few(open)}`, `Run: chmod -R o-rwx ${path}`));
  if (foreign.length === 0 && open.length === 0) rows.push(ok('state files', `${names.length} files, all of the folder's owner`));
  return rows;
}

function folder(name: string, path: string, stat: Stats): Finding {
  const text = `${path}: ${shown(stat)}`;
  if (!stat.isDirectory()) return failed(name, `${path} is no folder`, 'Move it away, or name another folder.');
  if ((stat.mode & 0o002) !== 0 && (stat.mode & 0o1000) === 0)
    return failed(name, `${text}: everybody may write there`, `Run: chmod o-w ${path}`);
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EROFS') return failed(name, `${text}: mounted read-only`, `Mount it for writing, or name another folder.`);
    return denied(name, `${text}: not to be used by ${userName()}`, 'Run it as root, or as the user of the agent.');
  }
  return ok(name, text);
}

function unseen(name: string, path: string, error: Error): Finding {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return failed(name, `${path} is not there`, 'Make it, or name another one.');
  return denied(name, `cannot see ${path}: ${detailOf(error)}`, 'Run it as root, or as the user of the agent.');
}

function statOf(path: string, how: (path: string) => Stats = statSync): Stats | Error {
  try {
    return how(path);
  } catch (error) {
    return error as Error;
  }
}

const few = (names: string[]): string =>
  names.length > 6 ? `${names.slice(0, 6).join(', ')} and ${names.length - 6} more` : names.join(', ');

/** A user without an entry in passwd(5), as containers have them, has no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `user ${process.getuid?.()}`;
  }
}
