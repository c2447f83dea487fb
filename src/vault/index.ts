/** The vault: what other rooms use of it. The format is specified in docs/FORMAT.md. */
export { SIGNER_ROLES, type SignerRole } from './formats.ts';
export {
  admitSigner,
  generateKeys,
  initVault,
  parseChunkIdKey,
  rootFingerprintOf,
  type InitVaultOptions,
  type SignerAdmission,
  type VaultKeySet,
} from './init.ts';
export { parseRecoveryKit, recoveryKit, type KitStore, type RecoveryKit } from './kit.ts';
export { openReaderVault, type ReaderVaultOptions } from './reader.ts';
export type * from './types.ts';
export { openWriterVault, type WriterVaultOptions } from './writer.ts';
