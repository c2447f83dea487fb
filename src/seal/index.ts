/** Naming, compressing, sealing and signing: what other rooms use of this one. */
export { ageOpen, ageSeal } from './age.ts';
export { generateAgeIdentity, parseIdentities, parseRecipient, recipientOf } from './age-keys.ts';
export type { AgeKeyPair } from './age-keys.ts';
export { freeNow } from './free.ts';
export { createOpenPool } from './open-pool.ts';
export { createSealPool } from './seal-pool.ts';
export { SlabStream } from './slabs.ts';
export type { Taken } from './slabs.ts';
export { chunkId, openBytes, sealBytes } from './small.ts';
export { generateSshKeyPair, sshFingerprint, sshPublicKeyOf } from './ssh-key.ts';
export type { SshKeyPair } from './ssh-key.ts';
export { inspectSshSignature, signSsh, verifySsh } from './ssh-signature.ts';
export type { SshSignatureInfo } from './ssh-signature.ts';
export type { ExpectedChunk, OpenPool, OpenPoolOptions, SealedSource } from './types.ts';
export type { SealedChunk, SealPool, SealPoolOptions, Wanted } from './types.ts';
