/** A real OpenSSH server for tests, with keys and a configuration of its own, that serves SFTP and nothing else. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { SecretRef, StoreAddress } from '../../src/system/types.ts';
import { startServerProcess } from './server-process.ts';
import type { ServerProcess } from './server-process.ts';

const run = promisify(execFile);

export type SftpKeyType = 'ed25519' | 'ecdsa' | 'rsa';

export interface SftpServer extends ServerProcess {
  /** `SHA256:…` of its keys. */
  readonly fingerprints: Readonly<Record<SftpKeyType, string>>;
  /** The private key that it lets in. */
  readonly clientKey: string;
  /** A directory that stores may lie in; it is removed at the end. */
  readonly data: string;
}

const TYPES: readonly SftpKeyType[] = ['ed25519', 'ecdsa', 'rsa'];

/** `settings` are further lines of sshd_config. Throws with the next step when the program is missing. */
export async function startSftpServer(settings: readonly string[] = []): Promise<SftpServer> {
  const program = ['/usr/sbin/sshd', '/usr/local/sbin/sshd'].find((path) => existsSync(path));
  if (program === undefined) throw new Error('The SSH server for tests was not found. Run `npm run setup -- test`.');
  // Started as root it wants this directory for a child without rights.
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
  const base = await mkdtemp(join(tmpdir(), 'holdfast-sftp-'));
  const data = join(base, 'data');
  await mkdir(data);
  const fingerprints: Partial<Record<SftpKeyType, string>> = {};
  await Promise.all(TYPES.map(async (type) => (fingerprints[type] = await makeKey(type, join(base, `host-${type}`)))));
  await makeKey('ed25519', join(base, 'client'));
  await writeFile(join(base, 'authorized_keys'), await readFile(join(base, 'client.pub')));
  const config = join(base, 'sshd_config');
  const server = await startServerProcess({
    program,
    args: () => ['-D', '-e', '-f', config],
    directory: base,
    prepare: (port) => writeFile(config, configuration(base, port, settings).join('\n')),
  });
  const clientKey = await readFile(join(base, 'client'), 'utf8');
  return { ...server, fingerprints: fingerprints as Record<SftpKeyType, string>, clientKey, data };
}

/** Options in sshd_config count the first time they are given. */
function configuration(base: string, port: number, settings: readonly string[]): string[] {
  return [
    ...settings,
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    ...TYPES.map((type) => `HostKey ${join(base, `host-${type}`)}`),
    `AuthorizedKeysFile ${join(base, 'authorized_keys')}`,
    `PidFile ${join(base, 'pid')}`,
    'PermitRootLogin yes',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'UsePAM no',
    'StrictModes no',
    'UseDNS no',
    'PrintMotd no',
    'MaxStartups 200',
    'PerSourceMaxStartups none',
    'Subsystem sftp internal-sftp',
    'ForceCommand internal-sftp',
    'LogLevel ERROR',
    '',
  ];
}

async function makeKey(type: SftpKeyType, file: string): Promise<string> {
  // The smallest that servers and clients accept: it protects nothing.
  const bits = type === 'rsa' ? ['-b', '2048'] : [];
  await run('ssh-keygen', ['-q', '-t', type, ...bits, '-N', '', '-C', 'test', '-f', file]);
  const { stdout } = await run('ssh-keygen', ['-lf', `${file}.pub`]);
  return stdout.split(' ')[1] ?? '';
}

/** How a system file would name a store on this server; `port` may be a proxy's. */
export function sftpStoreConfig(
  server: Pick<SftpServer, 'port' | 'fingerprints' | 'data'>,
  options: { directory: string; port?: number },
): Extract<StoreAddress, { kind: 'sftp' }> {
  return {
    name: 'sftp',
    kind: 'sftp',
    host: '127.0.0.1',
    port: options.port ?? server.port,
    user: userInfo().username,
    path: join(server.data, options.directory),
    hostKey: server.fingerprints.ed25519,
    privateKey: { env: 'SFTP_KEY' },
  };
}

/** Resolves the secret that `sftpStoreConfig` names, and nothing else. */
export function sftpSecrets(server: Pick<SftpServer, 'clientKey'>): (ref: SecretRef) => Promise<string> {
  return (ref) => {
    const known = 'env' in ref && ref.env === 'SFTP_KEY';
    return known ? Promise.resolve(server.clientKey) : Promise.reject(new Error('no such secret here'));
  };
}
