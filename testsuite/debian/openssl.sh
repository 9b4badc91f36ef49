#!/bin/sh
# SPDX-License-Identifier: MIT
# OpenSSL: digests, ciphers, keys, certificates.
# timeout: 180
. "$SRCDIR/testsuite/debian/lib.sh"
head -c 3000000 "$root/usr/bin/python3.11" >"$TMPDIR/data"
input=$TMPDIR/data
for digest in md5 sha1 sha256 sha512 sha3-256 blake2b512 ripemd160 sm3; do same openssl dgst -$digest; done
for cipher in aes-128-cbc aes-256-ctr chacha20 camellia-256-cbc des-ede3-cbc aria-128-cbc; do
    same openssl enc -$cipher -K 000102030405060708090a0b0c0d0e0f1011121314151617 -iv 0f0e0d0c0b0a09080706050403020100
done
same openssl enc -base64
same openssl dgst -sha256 -hmac secret
native openssl genrsa 2048 >"$TMPDIR/key" 2>/dev/null || fail "no key"
input=$TMPDIR/key
same openssl rsa -text
same openssl rsa -pubout
same openssl pkey -check -noout
same openssl pkey -noout -text_pub
same openssl prime 1000000007
same openssl asn1parse
