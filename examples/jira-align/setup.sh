#!/bin/sh
# Makes the throw-away files that countersign.toml names: trust anchors, a contact's S/MIME
# certificate, a passphrase and a mail password. What is there already is left alone.
set -eu
umask 077
cd -- "$(dirname -- "$0")"
command -v openssl >/dev/null || { echo "setup.sh: openssl is missing" >&2; exit 1; }
mkdir -p generated delivered

certificate() { # name, subject, further arguments of openssl req
    name=$1 subject=$2
    shift 2
    [ ! -e "generated/$name.pem" ] || return 0
    # What OpenSSL says while it works is shown only if it fails.
    openssl req -x509 -newkey rsa:3072 -nodes -days 825 -subj "$subject" "$@" \
        -keyout "generated/$name.key" -out "generated/$name.pem" 2>generated/openssl.log ||
        { cat generated/openssl.log >&2; exit 1; }
}

authority() { # name, subject
    certificate "$1" "$2" -addext keyUsage=critical,keyCertSign,cRLSign
}

secret() { # name
    [ -e "generated/$1" ] || openssl rand -base64 24 >"generated/$1"
}

authority server-ca "/CN=Example Corporation Server CA"
authority mail-ca "/CN=example.org Mail CA"
authority acme-ca "/CN=Example Corporation Client CA"
certificate jira-sec "/CN=Network Security/emailAddress=jira-sec@example.com" \
    -addext basicConstraints=critical,CA:FALSE \
    -addext keyUsage=critical,digitalSignature,keyEncipherment \
    -addext extendedKeyUsage=emailProtection \
    -addext subjectAltName=email:jira-sec@example.com
secret passphrase
secret mail-password
echo "made examples/jira-align/generated" >&2
