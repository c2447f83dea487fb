import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  generateSshKeyPair,
  inspectSshSignature,
  signSsh,
  sshFingerprint,
  sshPublicKeyOf,
  verifySsh,
} from '../../src/seal/index.ts';
import { pipe } from './programs.ts';

const NAMESPACE = 'holdfast-manifest';
const MESSAGE = '{"format":1}\n';
const pair = generateSshKeyPair('backup@site-a');
const other = generateSshKeyPair('somebody');
let base: string;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'holdfast-ssh-'));
  await writeFile(join(base, 'ours'), pair.privateKey, { mode: 0o600 });
  await writeFile(join(base, 'ours.pub'), `${pair.publicKey}\n`);
  await writeFile(join(base, 'allowed'), `signer ${pair.publicKey}\n`);
  await pipe('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'theirs', '-f', join(base, 'theirs')], '');
  await pipe('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'a passphrase', '-f', join(base, 'locked')], '');
  await pipe('ssh-keygen', ['-q', '-t', 'ecdsa', '-N', '', '-f', join(base, 'ecdsa')], '');
});

afterAll(async () => {
  await rm(base, { recursive: true, force: true });
});

const file = (name: string) => readFile(join(base, name), 'utf8');
const code = (expected: string) => expect.objectContaining({ code: expected }) as Error;

describe('SSH keys', () => {
  it('a key pair made here: ssh-keygen reads both halves and finds the same fingerprint', async () => {
    const fromPrivate = await pipe('ssh-keygen', ['-y', '-f', join(base, 'ours')], '');
    expect(fromPrivate.toString().trim()).toBe(pair.publicKey);
    const listed = await pipe('ssh-keygen', ['-l', '-f', join(base, 'ours.pub')], '');
    expect(listed.toString()).toContain(pair.fingerprint);
  });

  it('a key pair made by ssh-keygen: is read, with the same public half and fingerprint', async () => {
    const line = (await file('theirs.pub')).trim();
    expect(sshPublicKeyOf(await file('theirs'))).toBe(line);
    const listed = await pipe('ssh-keygen', ['-l', '-f', join(base, 'theirs.pub')], '');
    expect(listed.toString()).toContain(sshFingerprint(line));
  });

  it('a key with a passphrase: is refused with the reason', async () => {
    const text = await file('locked');
    expect(() => sshPublicKeyOf(text)).toThrow(code('BadInput'));
    expect(() => sshPublicKeyOf(text)).toThrow('passphrase');
  });

  it('another type of key, cut or foreign text: is refused, and never repeated', async () => {
    const texts = [await file('ecdsa'), pair.privateKey.slice(0, 150), pair.publicKey, '', 'hunter2'];
    const lines = pair.privateKey.trim().split('\n');
    texts.push([lines[0], lines[1], lines.at(-1)].join('\n'));
    for (const text of texts) {
      expect(() => sshPublicKeyOf(text)).toThrow(code('BadInput'));
      expect(() => sshPublicKeyOf(text)).not.toThrow('hunter2');
    }
    const ecdsaLine = await file('ecdsa.pub');
    for (const line of [ecdsaLine, 'ssh-ed25519', 'ssh-ed25519 AAAA', '']) {
      expect(() => sshFingerprint(line)).toThrow(code('BadInput'));
    }
  });
});

describe('SSH signatures', () => {
  it('a signature made here: ssh-keygen verifies it, and refuses it for another message', async () => {
    await writeFile(join(base, 'made.sig'), signSsh(pair.privateKey, NAMESPACE, MESSAGE));
    const check = (message: string) => {
      const options = ['-f', join(base, 'allowed'), '-I', 'signer', '-n', NAMESPACE, '-s', join(base, 'made.sig')];
      return pipe('ssh-keygen', ['-Y', 'verify', ...options], message);
    };
    expect((await check(MESSAGE)).toString()).toContain('Good "holdfast-manifest" signature');
    await expect(check(`${MESSAGE} `)).rejects.toThrow('ssh-keygen');
  });

  it.each(['sha256', 'sha512'])('a signature made by ssh-keygen with %s: is verified here', async (hash) => {
    const options = ['-f', join(base, 'theirs'), '-n', NAMESPACE, '-O', `hashalg=${hash}`];
    const signature = (await pipe('ssh-keygen', ['-Y', 'sign', ...options], MESSAGE)).toString();
    const line = await file('theirs.pub');
    verifySsh(line, NAMESPACE, MESSAGE, signature);
    expect(inspectSshSignature(signature)).toMatchObject({ namespace: NAMESPACE, fingerprint: sshFingerprint(line) });
    expect(() => {
      verifySsh(line, NAMESPACE, `${MESSAGE}x`, signature);
    }).toThrow(code('Untrusted'));
  });

  it('another key, another namespace, another message: each is untrusted', () => {
    const signature = signSsh(pair.privateKey, NAMESPACE, MESSAGE);
    verifySsh(pair.publicKey, NAMESPACE, MESSAGE, signature);
    const wrong: [string, string, string][] = [
      [other.publicKey, NAMESPACE, MESSAGE],
      [pair.publicKey, 'holdfast-proof', MESSAGE],
      [pair.publicKey, NAMESPACE, '{"format":2}\n'],
    ];
    for (const [line, namespace, message] of wrong) {
      expect(() => {
        verifySsh(line, namespace, message, signature);
      }).toThrow(code('Untrusted'));
    }
  });

  it('any changed bit of a signature, and any cut: is untrusted', () => {
    const signature = signSsh(pair.privateKey, NAMESPACE, MESSAGE);
    const lines = signature.trim().split('\n');
    const blob = Buffer.from(lines.slice(1, -1).join(''), 'base64');
    const wrap = (bytes: Buffer) => [lines[0], bytes.toString('base64'), lines.at(-1)].join('\n');
    verifySsh(pair.publicKey, NAMESPACE, MESSAGE, wrap(blob));
    for (let at = 0; at < blob.length; at += 1) {
      const damaged = Buffer.from(blob);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
      for (const text of [wrap(damaged), wrap(blob.subarray(0, at))]) {
        expect(() => {
          verifySsh(pair.publicKey, NAMESPACE, MESSAGE, text);
        }).toThrow(code('Untrusted'));
      }
    }
    expect(() => inspectSshSignature('no signature')).toThrow(code('Untrusted'));
  });
});
