/** Runs the programs that Holdfast's formats are checked against. */
import { spawn } from 'node:child_process';

/** Standard output of a program that is given `input`; rejects with its standard error when it fails. */
export function pipe(program: string, options: readonly string[], input: string | Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, options, { stdio: ['pipe', 'pipe', 'pipe'] });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (data: Buffer) => out.push(data));
    child.stderr.on('data', (data: Buffer) => err.push(data));
    // A program that refuses its input closes it early; its exit says why.
    child.stdin.on('error', () => undefined);
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(Buffer.concat(out));
      else reject(new Error(`${program} ended with ${String(code)}: ${Buffer.concat(err).toString()}`));
    });
    child.stdin.end(input);
  });
}
