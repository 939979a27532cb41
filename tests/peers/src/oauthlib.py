# A server that verifies requests by OAuth 1.0a. Arguments: method, URL, Authorization, consumer key, access token; the
# public key comes by standard input. Says `taken`, or which problem there is.
import sys
import time

from oauthlib.oauth1 import RequestValidator, ResourceEndpoint, SIGNATURE_RSA_SHA1


class Validator(RequestValidator):
    allowed_signature_methods = [SIGNATURE_RSA_SHA1]
    client_key_length = (1, 100)
    access_token_length = (1, 100)
    # Behind a gateway that ends TLS a server may well be asked by http.
    enforce_ssl = False
    dummy_client = "nobody"
    dummy_access_token = "nothing"
    safe_characters = RequestValidator().safe_characters | set("-_.~")

    def validate_client_key(self, client_key, request):
        return client_key == CONSUMER

    def validate_access_token(self, client_key, token, request):
        return token == TOKEN

    def validate_timestamp_and_nonce(
        self, client_key, timestamp, nonce, request, request_token=None, access_token=None
    ):
        return abs(time.time() - int(timestamp)) <= 300

    def validate_realms(self, client_key, token, request, uri=None, realms=None):
        return True

    def get_rsa_key(self, client_key, request):
        return PUBLIC_KEY


METHOD, URL, AUTHORIZATION, CONSUMER, TOKEN = sys.argv[1:6]
PUBLIC_KEY = sys.stdin.read()
PROBLEMS = {
    "client": "consumer_key_unknown",
    "resource_owner": "token_rejected",
    "signature": "signature_invalid",
}

taken, request = ResourceEndpoint(Validator()).validate_protected_resource_request(
    URL, http_method=METHOD, headers={"Authorization": AUTHORIZATION}
)
if taken:
    print("taken")
else:
    log = getattr(request, "validator_log", None) or {}
    bad = [problem for check, problem in PROBLEMS.items() if log.get(check) is False]
    # Without a log it was refused before anything was looked up: its form, or its time.
    print(bad[0] if bad else "parameter_rejected")
