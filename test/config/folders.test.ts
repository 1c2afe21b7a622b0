import { describe, expect, it } from 'vitest';
import { PLACES, places } from '../../src/config/discover.ts';
import { defaultFolders, systemFolder } from '../../src/config/folders.ts';

describe('the folders in use when none is configured', () => {
  const env = { HOME: '/home/me' };

  it("are root's own, a user's under XDG, or what systemd made", () => {
    expect(defaultFolders(env, 0, 'linux')).toEqual({ state: '/var/lib/scout-agent', runtime: '/run/scout-agent' });
    expect(defaultFolders({ ...env, XDG_RUNTIME_DIR: '/run/user/7' }, 7, 'linux')).toEqual({
      state: '/home/me/.local/state/scout-agent',
      runtime: '/run/user/7/scout-agent',
    });
    expect(defaultFolders({ ...env, STATE_DIRECTORY: '/a:/b', RUNTIME_DIRECTORY: '/r' }, 7, 'linux')).toEqual({
      state: '/a',
      runtime: '/r',
    });
  });

  it("are the system's for the user whom the installed agent runs as, the socket's while its unit has made that", () => {
    const owners = new Map([['/var/lib/scout-agent', 996]]);
    const of = (uid: number) => defaultFolders({ HOME: '/var/lib/scout-agent' }, uid, 'linux', (folder) => owners.get(folder));
    expect(of(996)).toEqual({ state: '/var/lib/scout-agent', runtime: '/var/lib/scout-agent/run' });
    owners.set('/run/scout-agent', 996);
    expect(of(996)).toEqual({ state: '/var/lib/scout-agent', runtime: '/run/scout-agent' });
    expect(of(7).state).toBe('/var/lib/scout-agent/.local/state/scout-agent');
  });

  it('are one below ProgramData on Windows, whoever asks', () => {
    const windows = { ProgramData: 'D:\\Data', HOME: '/home/me' };
    expect(systemFolder(windows, '', 'win32')).toBe('D:\\Data\\scout-agent');
    expect(systemFolder({}, '', 'win32')).toBe('C:\\ProgramData\\scout-agent');
    expect(defaultFolders(windows, -1, 'win32')).toEqual({ state: 'D:\\Data\\scout-agent\\state', runtime: 'D:\\Data\\scout-agent\\run' });
    expect(places(windows, 1000, '', 'win32')).toEqual(
      ['config.toml', 'config.yml', 'config.yaml', 'agent.env'].map((name) => `D:\\Data\\scout-agent\\${name}`),
    );
  });

  it('are looked for in the old places too, elsewhere than on Windows', () => {
    expect(places({}, 0, '', 'linux')).toEqual(PLACES);
    expect(places({ HOME: '/home/a' }, 1000, '', 'linux')).toEqual([
      ...PLACES,
      ...['config.toml', 'config.yml', 'config.yaml', 'agent.env'].map((name) => `/home/a/.config/scout-agent/${name}`),
    ]);
    expect(places({}, 0, '/root', 'linux')[0]).toBe('/root/etc/scout-agent/config.toml');
    expect(systemFolder({}, '/root', 'linux')).toBe('/root/etc/scout-agent');
  });
});
