//! The page for a ticket, in a real browser: whatever the other side wrote, it runs nothing, loads nothing, and can be
//! read on a small screen.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use countersign_peers::{Chromium, Nginx, Upstream};

use crate::endpoint::Endpoint;

const HOSTILE: &str =
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">";

/// Something behind the gateway that writes markup wherever it may.
fn hostile() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Ends with the process: the listener is never closed.
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|length| length > 2) {
                line.clear();
            }
            let _ = write!(
                reader.into_inner(),
                "HTTP/1.1 401 Unauthorized\r\nX-AREQUESTID: {HOSTILE}\r\nX-ANODEID: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                "unbroken".repeat(40),
            );
        }
    });
    address
}

#[test]
fn the_page_runs_and_loads_nothing_and_can_be_read_on_a_small_screen() {
    let endpoint = Endpoint::of("<b>server</b> root");
    let mut gateway = endpoint.gateway();
    gateway.upstream = Upstream::At(hostile());
    let nginx = Nginx::start(gateway);
    endpoint.probe(nginx.addr(), "ours.pem", &["--page", "probe.html"]);

    for width in [1280, 500] {
        let browser = Chromium::start(width, 800);
        browser.open(&endpoint.home.path("probe.html"));
        assert_eq!(browser.console(), [""; 0], "the browser finds no fault");
        let title = browser.evaluate("document.title");
        assert!(
            title
                .as_str()
                .unwrap()
                .starts_with("Probe of https://gateway.test: accepted"),
            "{title}"
        );
        let text = browser.evaluate("document.body.innerText");
        let text = text.as_str().unwrap();
        assert!(
            text.contains(HOSTILE),
            "markup is shown as it was sent: {text}"
        );
        assert!(text.contains(r"\<b\>server\</b\> root"), "{text}");
        for heading in ["accepted at tier Jira", "Checks", "Controls and methods"] {
            assert!(text.contains(heading), "{heading}: {text}");
        }
        for (expression, wanted) in [
            (
                "document.querySelectorAll('script, img, link, iframe, object, embed, form, a, b b').length",
                0,
            ),
            ("performance.getEntriesByType('resource').length", 0),
            // Nothing sticks out to the right.
            (
                "Math.max(0, document.documentElement.scrollWidth - window.innerWidth)",
                0,
            ),
        ] {
            assert_eq!(
                browser.evaluate(expression),
                wanted,
                "{expression} at {width}"
            );
        }
        assert_eq!(browser.evaluate("document.documentElement.lang"), "en");
        // WCAG 2.2, 1.4.3: text of this size wants a contrast of 4.5.
        let contrast = browser.evaluate(CONTRAST);
        assert!(contrast.as_f64().unwrap() >= 4.5, "{contrast}");
    }
}

/// The least contrast of any text with the white page.
const CONTRAST: &str = r"(() => {
  const luminance = (colour) => {
    const [r, g, b] = colour.match(/[\d.]+/g).slice(0, 3).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const elements = [...document.querySelectorAll('body, body *')];
  return Math.min(...elements.map((e) => 1.05 / (luminance(getComputedStyle(e).color) + 0.05)));
})()";
