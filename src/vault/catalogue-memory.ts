/**
 * Manifests and proofs that were read and judged before. They are written once, so that who reads a catalogue again and
 * again needs the list of its objects only, and what is new in it.
 */
import type { ObjectInfo } from '../stores/store.ts';
import type { TrustRoots } from './trust.ts';
import type { CatalogueEntry, ProofBody } from './types.ts';

export interface FoundProof {
  readonly backupId: string;
  readonly proof?: ProofBody;
  readonly note?: string;
}

/** Of one vault in one store. Two readings at once are one too many. */
export class CatalogueMemory {
  readonly entries = new Recalled<CatalogueEntry>();
  readonly proofs = new Recalled<FoundProof>();
  private judgedBy = '';

  /** What was judged by other signers is judged again. */
  begin(vaultId: string, roots: TrustRoots): void {
    const judgedBy = JSON.stringify([vaultId, roots.rootFingerprint, [...roots.signers]]);
    if (judgedBy === this.judgedBy) return;
    this.judgedBy = judgedBy;
    this.entries.forget();
    this.proofs.forget();
  }

  /** What was not asked for since the last time is gone from the store. */
  end(): void {
    this.entries.forgetUnasked();
    this.proofs.forgetUnasked();
  }
}

class Recalled<T> {
  private known = new Map<string, { readonly stamp: string; readonly value: T }>();
  private asked = new Map<string, { readonly stamp: string; readonly value: T }>();

  /** What `read` gave for the object as it is now. Nothing is remembered of an object that was not there any more. */
  async recall<U extends T | undefined>(info: ObjectInfo, read: () => Promise<U>): Promise<U | T> {
    const stamp = `${info.sizeBytes} ${info.modifiedAtMs}`;
    const known = this.known.get(info.key);
    if (known?.stamp === stamp) {
      this.asked.set(info.key, known);
      return known.value;
    }
    const value = await read();
    if (value !== undefined) this.asked.set(info.key, { stamp, value });
    return value;
  }

  forget(): void {
    this.known.clear();
  }

  forgetUnasked(): void {
    this.known = this.asked;
    this.asked = new Map();
  }
}
