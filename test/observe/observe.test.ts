import { Writable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../src/failures.ts';
import { formatAge, formatBytes, formatCount, formatMilliseconds, formatSeconds } from '../../src/observe/format.ts';
import { createLogger } from '../../src/observe/log.ts';
import { barText, createProgress } from '../../src/observe/progress.ts';
import { redactText } from '../../src/observe/redact.ts';
import { coloursFor, wantsColour } from '../../src/observe/colours.ts';
import { table } from '../../src/observe/table.ts';

class Collected extends Writable {
  text = '';
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

describe('logs', () => {
  it('secrets under telling names, in texts and in errors: none is written', () => {
    const out = new Collected();
    const logger = createLogger({ level: 'debug', destination: out, pretty: false });
    const identity = `AGE-SECRET-KEY-1${'Q'.repeat(58)}`;
    const cause = new Error(`tried ${identity}`);
    logger.child({ note: `bound ${identity}` }).error(
      {
        err: new HoldfastError('WrongIdentity', 'no identity fits', { cause }),
        store: { secretAccessKey: 'aws-secret', region: 'eu' },
        deep: [{ apiKey: 'deep-key', identities: ['id-text'] }],
        url: 'https://user:url-pw@example.org/x',
        rootFingerprint: 'SHA256:abc',
        captureId: 'c1',
      },
      'could not open',
    );
    for (const secret of [identity, 'aws-secret', 'deep-key', 'id-text', 'url-pw']) {
      expect(out.text).not.toContain(secret);
    }
    const line = JSON.parse(out.text) as Record<string, unknown>;
    expect(line).toMatchObject({
      level: 'error',
      msg: 'could not open',
      rootFingerprint: 'SHA256:abc',
      captureId: 'c1',
    });
    expect(line['err']).toMatchObject({ code: 'WrongIdentity', message: 'no identity fits' });
    expect(line['store']).toMatchObject({ region: 'eu' });
  });

  it('a private key somewhere in a text: masked, the rest stays', () => {
    const key = '-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----';
    expect(redactText(`before ${key} after`)).toBe('before [secret] after');
  });
});

describe('numbers for people', () => {
  it('bytes: three digits at most, never 1024 of a unit', () => {
    expect([0, 1023, 1024, 1536, 12_900_000, 2 ** 31].map(formatBytes)).toEqual([
      '0 B',
      '1023 B',
      '1 KiB',
      '1.5 KiB',
      '12.3 MiB',
      '2 GiB',
    ]);
    fc.assert(
      fc.property(fc.nat(2 ** 50), (bytes) => {
        expect(Number.parseFloat(formatBytes(bytes))).toBeLessThan(1024);
      }),
    );
  });

  it('durations and ages: the two largest units', () => {
    expect([0, 999, 1000, 4230, 62_000, 7_810_000].map(formatMilliseconds)).toEqual([
      '0 ms',
      '999 ms',
      '1.0 s',
      '4.2 s',
      '1 min 2 s',
      '2 h 10 min',
    ]);
    expect(formatSeconds(3 * 86_400 + 4 * 3600 + 5)).toBe('3 d 4 h');
    expect(formatAge(0, 300_000)).toBe('5 min ago');
    expect(formatAge(240_000, 0)).toBe('in 4 min');
    expect(formatCount(1, 'chunk')).toBe('1 chunk');
    expect(formatCount(1204, 'chunk')).toBe('1,204 chunks');
  });
});

describe('terminal', () => {
  it('colours: on a terminal only, FORCE_COLOR adds, NO_COLOR removes', () => {
    expect(wantsColour({ isTTY: true }, {})).toBe(true);
    expect(wantsColour({ isTTY: false }, {})).toBe(false);
    expect(wantsColour({}, { FORCE_COLOR: '1' })).toBe(true);
    expect(wantsColour({ isTTY: true }, { NO_COLOR: '1', FORCE_COLOR: '1' })).toBe(false);
    expect(wantsColour({ isTTY: true }, { TERM: 'dumb' })).toBe(false);
  });

  it('a table: columns stand under each other, without borders or trailing spaces', () => {
    expect(
      table(
        ['name', 'size'],
        [
          ['a', '1 B'],
          ['longer', '2 B'],
        ],
        coloursFor({}),
      ),
    ).toBe('name    size\na       1 B\nlonger  2 B');
  });

  it('no terminal: one plain line for each phase, none after the end', () => {
    const out = new Collected();
    const view = createProgress(out);
    view.show({ phase: 'reading', bytesDone: 1 });
    view.show({ phase: 'reading', bytesDone: 2 });
    view.show({ phase: 'committing' });
    view.stop();
    view.show({ phase: 'late' });
    expect(out.text).toBe('reading\ncommitting\n');
  });

  it('a bar: only where the total is known', () => {
    expect(barText({ phase: 'reading', bytesDone: 512, bytesTotal: 1024 }, 2000)).toContain('50 % reading');
    expect(barText({ phase: 'reading', bytesDone: 512 }, 2000)).toBe('reading · 512 B · 2.0 s');
  });
});
