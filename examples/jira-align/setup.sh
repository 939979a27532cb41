#!/bin/sh
# Makes the throw-away files that countersign.toml names: trust anchors, a contact's S/MIME
# certificate, a passphrase and a mail password. What is there already is left alone.
set -eu
umask 077
cd -- "$(dirname -- "$0")"
command -v openssl >/dev/null || { echo "setup.sh: openssl is missing" >&2; exit 1; }
mkdir -p generated delivered

# A self-signed certificate: setup.sh's anchors and the contact's certificate need no more.
certificate() { # file, subject, extension...
    file=$1 subject=$2
    shift 2
    [ -e "generated/$file.pem" ] && return
    for extension in "$@"; do set -- "$@" -addext "$extension"; shift; done
    openssl req -x509 -newkey rsa:3072 -nodes -days 825 -subj "$subject" "$@" \
        -keyout "generated/$file.key" -out "generated/$file.pem" 2>/dev/null
}

secret() { # file
    [ -e "generated/$1" ] || openssl rand -base64 24 >"generated/$1"
}

certificate server-ca "/CN=Example Corporation Server CA" keyUsage=critical,keyCertSign,cRLSign
certificate mail-ca "/CN=example.org Mail CA" keyUsage=critical,keyCertSign,cRLSign
certificate acme-ca "/CN=Example Corporation Client CA" keyUsage=critical,keyCertSign,cRLSign
certificate jira-sec "/CN=Network Security/emailAddress=jira-sec@example.com" \
    basicConstraints=critical,CA:FALSE \
    keyUsage=critical,digitalSignature,keyEncipherment \
    extendedKeyUsage=emailProtection \
    subjectAltName=email:jira-sec@example.com
secret passphrase
secret mail-password
echo "made generated/; next: countersign --config $PWD/countersign.toml config check" >&2
