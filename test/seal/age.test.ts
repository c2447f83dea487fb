import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { Decrypter, Encrypter } from 'age-encryption';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HoldfastError } from '../../src/failures.ts';
import { ageOpen, ageSeal, generateAgeIdentity, parseIdentities, recipientOf } from '../../src/seal/index.ts';
import vectors from './age-vectors.json' with { type: 'json' };
import { pipe } from './programs.ts';

const ops = generateAgeIdentity();
const escrow = generateAgeIdentity();
const both = [ops.recipient, escrow.recipient];
/** Around the borders of the pieces of 64 KiB. */
const LENGTHS = [0, 1, 65_535, 65_536, 65_537, 200_000];
let base: string;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'holdfast-age-'));
  await writeFile(join(base, 'escrow.txt'), `# a comment\n${escrow.identity}\n`);
});

afterAll(async () => {
  await rm(base, { recursive: true, force: true });
});

interface Vector {
  readonly expect: string;
  readonly payload: string | undefined;
  readonly identities: readonly string[];
  readonly sealed: Uint8Array;
}

function readVector(base64: string): Vector {
  const file = Buffer.from(base64, 'base64');
  const end = file.indexOf('\n\n');
  const lines = file.subarray(0, end).toString('utf8').split('\n');
  const values = (name: string) =>
    lines.filter((line) => line.startsWith(`${name}: `)).map((line) => line.slice(name.length + 2));
  const body = file.subarray(end + 2);
  return {
    expect: values('expect')[0] ?? '',
    payload: values('payload')[0],
    identities: values('identity'),
    sealed: values('compressed').includes('zlib') ? inflateSync(body) : body,
  };
}

function outcome(vector: Vector): string {
  try {
    const plain = ageOpen(vector.sealed, vector.identities);
    return createHash('sha256').update(plain).digest('hex') === vector.payload ? 'success' : 'other bytes';
  } catch (cause) {
    return (cause as HoldfastError).code;
  }
}

describe('the published age test vectors', () => {
  it.each(Object.entries(vectors.vectors))('%s: opens, or is refused for the right reason', (_, file) => {
    const vector = readVector(file);
    const others = vector.expect === 'no match' ? 'WrongIdentity' : 'ObjectCorrupt';
    expect(outcome(vector)).toBe(vector.expect === 'success' ? 'success' : others);
  });
});

describe('age files', () => {
  it.each(LENGTHS)('%i bytes sealed here: the age program and the age library open them', async (length) => {
    const plain = randomBytes(length);
    const sealed = ageSeal(plain, both);
    const opened = await pipe('age', ['-d', '-i', join(base, 'escrow.txt')], sealed);
    expect(opened.equals(plain)).toBe(true);
    const library = new Decrypter();
    library.addIdentity(ops.identity);
    expect(Buffer.from(await library.decrypt(sealed)).equals(plain)).toBe(true);
  });

  it.each(LENGTHS)('%i bytes sealed by the age program and by the age library: are opened here', async (length) => {
    const plain = randomBytes(length);
    const byProgram = await pipe(
      'age',
      both.flatMap((recipient) => ['-r', recipient]),
      plain,
    );
    expect(Buffer.from(ageOpen(byProgram, [escrow.identity])).equals(plain)).toBe(true);
    const library = new Encrypter();
    for (const recipient of both) library.addRecipient(recipient);
    const byLibrary = await library.encrypt(plain);
    expect(Buffer.from(ageOpen(byLibrary, [ops.identity])).equals(plain)).toBe(true);
  });

  it('any bytes for any of the recipients: come back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(ops, escrow), (plain, reader) => {
        const opened = ageOpen(ageSeal(plain, both), [reader.identity]);
        expect(Buffer.from(opened).equals(plain)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  it('any single changed byte of a sealed object: is noticed', () => {
    const sealed = ageSeal(Buffer.from('the ledger'), [ops.recipient]);
    for (let at = 0; at < sealed.length; at += 1) {
      const damaged = Uint8Array.from(sealed);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      const cause = errorOf(() => ageOpen(damaged, [ops.identity]));
      expect(['ObjectCorrupt', 'WrongIdentity']).toContain(cause?.code);
    }
  });

  it('any cut of a sealed object: is noticed', () => {
    const sealed = ageSeal(randomBytes(70_000), [ops.recipient]);
    const cuts = [
      ...Array(400).keys(),
      65_000,
      65_536 + 200,
      sealed.length - 17,
      sealed.length - 16,
      sealed.length - 1,
    ];
    for (const at of cuts) {
      expect(errorOf(() => ageOpen(sealed.subarray(0, at), [ops.identity]))?.code).toBe('ObjectCorrupt');
    }
    const longer = Buffer.concat([sealed, Buffer.from('x')]);
    expect(errorOf(() => ageOpen(longer, [ops.identity]))?.code).toBe('ObjectCorrupt');
  });

  it('somebody else’s identity: WrongIdentity, which says how many recipients there are', () => {
    const cause = errorOf(() => ageOpen(ageSeal(Buffer.from('x'), both), [generateAgeIdentity().identity]));
    expect(cause?.code).toBe('WrongIdentity');
    expect(cause?.message).toContain('2 X25519 recipients');
  });
});

describe('age keys', () => {
  it('a new identity: age-keygen reads it and finds the same recipient', async () => {
    const recipient = await pipe('age-keygen', ['-y'], `${ops.identity}\n`);
    expect(recipient.toString().trim()).toBe(ops.recipient);
    expect(recipientOf(ops.identity)).toBe(ops.recipient);
  });

  it('the output of age-keygen: is read with its comments', async () => {
    const file = await pipe('age-keygen', [], '');
    const [identity] = parseIdentities([file.toString()]);
    expect(identity).toBeDefined();
    expect(file.toString()).toContain(recipientOf(file.toString().trim().split('\n').at(-1) ?? ''));
  });

  it('a mistyped identity: is refused, and never repeated in the message', () => {
    const typo = ops.identity.replace(/.$/, ops.identity.endsWith('Q') ? 'P' : 'Q');
    const cause = errorOf(() => ageOpen(new Uint8Array(0), [typo]));
    expect(cause?.code).toBe('BadInput');
    expect(cause?.message).not.toContain(typo.slice(20, 40));
  });

  it.each([
    '',
    'age1',
    'age1qqqq',
    `${ops.recipient}q`,
    ops.recipient.replace(/^age1./, 'age1B'),
    'ssh-ed25519 AAAA',
    ops.identity,
  ])('the recipient %j: is refused', (recipient) => {
    expect(errorOf(() => ageSeal(Buffer.from('x'), [ops.recipient, recipient]))?.code).toBe('BadInput');
  });

  it('an identity where a recipient belongs: is refused without repeating it', () => {
    const cause = errorOf(() => ageSeal(Buffer.from('x'), [ops.identity]));
    expect(cause?.message).toContain('AGE-SECRET-K…');
    expect(cause?.message).not.toContain(ops.identity.slice(0, 30));
  });

  it('no recipient at all, or a point of low order: nothing is sealed', () => {
    expect(errorOf(() => ageSeal(Buffer.from('x'), []))?.code).toBe('BadInput');
    const zero = 'age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq';
    expect(errorOf(() => ageSeal(Buffer.from('x'), [zero]))?.code).toBe('BadInput');
  });
});

function errorOf(action: () => unknown): HoldfastError | undefined {
  try {
    action();
    return undefined;
  } catch (cause) {
    return cause as HoldfastError;
  }
}
