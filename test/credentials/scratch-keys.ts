import { generateKeyPairSync } from 'node:crypto';

/** A fresh RSA key in the forms that people hand around. */
export function freshRsa(bits = 2048) {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: bits });
  const der = privateKey.export({ format: 'der', type: 'pkcs8' });
  return {
    privateKey,
    publicKey,
    der,
    text: der.toString('base64url'),
    pem: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    pkcs1: privateKey.export({ format: 'pem', type: 'pkcs1' }).toString(),
  };
}
