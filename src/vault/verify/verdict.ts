/** Gathers what a verification finds. A bad object is noted and the rest goes on; a store that cannot be asked ends it. */
import { HoldfastError } from '../../failures.ts';
import { FORMAT } from '../names.ts';
import type { ProofBody, VerificationLevel } from '../types.ts';

const BAD_SHOWN = 50;

/** What speaks about the object; every other failure speaks about the way to it. */
const OBJECT_CODES = ['ObjectMissing', 'ObjectCorrupt', 'Untrusted', 'VaultFormat'];

export class Verdict {
  private readonly of: { vaultId: string; manifestKey: string; manifestSha256: string; level: VerificationLevel };
  private readonly badObjects: { key: string; code: string; what: string }[] = [];
  private moreBad = 0;
  private objectsChecked = 0;
  private bytesChecked = 0;
  /** Keys of all objects that are not there, also of those beyond what a proof shows. */
  readonly missing: string[] = [];

  constructor(of: { vaultId: string; manifestKey: string; manifestSha256: string; level: VerificationLevel }) {
    this.of = of;
  }

  checked(bytes: number): void {
    this.objectsChecked += 1;
    this.bytesChecked += bytes;
  }

  bad(key: string, code: string, what: string): void {
    if (code === 'ObjectMissing') this.missing.push(key);
    if (this.badObjects.length < BAD_SHOWN) this.badObjects.push({ key, code, what });
    else this.moreBad += 1;
  }

  /** Runs a check of an object; undefined when it failed, which is noted. */
  async try<T>(key: string, check: () => Promise<T>): Promise<T | undefined> {
    try {
      return await check();
    } catch (error) {
      if (!(error instanceof HoldfastError) || !OBJECT_CODES.includes(error.code)) throw error;
      this.bad(key, error.code, error.message);
      return undefined;
    }
  }

  proof(): ProofBody {
    return {
      format: FORMAT,
      ...this.of,
      at: new Date().toISOString(),
      ok: this.badObjects.length === 0,
      objectsChecked: this.objectsChecked,
      bytesChecked: this.bytesChecked,
      bad: this.badObjects,
      moreBad: this.moreBad,
      signer: '',
    };
  }
}
