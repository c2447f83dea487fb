/** Whose manager is asked: the machine's, or that of one account. */
import { readFile } from 'node:fs/promises';
import { HoldfastError } from '../failures.ts';
import type { UnitScope } from '../system/types.ts';

export interface ManagerOf {
  readonly scope: UnitScope;
  /** With `user`: the account; absent: that of this process. */
  readonly user?: string;
}

/** How its programs are called. */
export interface Caller {
  readonly uid?: number;
  readonly gid?: number;
  readonly env: Readonly<Record<string, string>>;
  /** The account's home, of a user's manager. */
  readonly home?: string;
}

/** Plain words in one language, times in one zone, nothing that waits for a person. */
const PLAIN = { LC_ALL: 'C', TZ: 'UTC', SYSTEMD_COLORS: '0', SYSTEMD_PAGER: '', SYSTEMD_ASK_PASSWORD: '0' };

/** Throws BadInput for an account that is not there, PermissionDenied for one that this process may not act for. */
export async function callerOf({ scope, user }: ManagerOf): Promise<Caller> {
  const path = process.env['PATH'] ?? '/usr/bin:/bin';
  if (scope === 'system') return { env: { ...PLAIN, PATH: path } };
  const own = process.geteuid?.() ?? 0;
  const account = user === undefined ? undefined : await accountOf(user);
  if (account === undefined || account.uid === own) {
    const home = process.env['HOME'] ?? account?.home ?? '/';
    const given = ['XDG_CONFIG_HOME', 'DBUS_SESSION_BUS_ADDRESS'].flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value] as const];
    });
    const runtime = process.env['XDG_RUNTIME_DIR'] ?? `/run/user/${own}`;
    return { env: { ...PLAIN, PATH: path, HOME: home, XDG_RUNTIME_DIR: runtime, ...Object.fromEntries(given) }, home };
  }
  if (own !== 0) {
    throw new HoldfastError('PermissionDenied', `units of ${user ?? ''} are reached as that account, or as root`);
  }
  const { uid, gid, home } = account;
  return { uid, gid, env: { ...PLAIN, PATH: path, HOME: home, XDG_RUNTIME_DIR: `/run/user/${uid}` }, home };
}

async function accountOf(user: string): Promise<{ uid: number; gid: number; home: string }> {
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const [, , uid, gid, , home] = lines.find(([name]) => name === user) ?? [];
  if (uid === undefined || gid === undefined || home === undefined) {
    throw new HoldfastError('BadInput', `there is no account ${user} on this host`);
  }
  return { uid: Number(uid), gid: Number(gid), home };
}

/** For people: `systemd`, `systemd of alice`. */
export function managerWords({ scope, user }: ManagerOf): string {
  if (scope === 'system') return 'systemd';
  return user === undefined ? 'systemd of this account' : `systemd of ${user}`;
}
