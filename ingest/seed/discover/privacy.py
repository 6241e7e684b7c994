"""Which columns hold secrets or personal data: by name, type and a sample of texts.

A rule without a server: what it is sure of gets a class, what it is not is a question
(`undecided`), which a person answers and which consumers see as nothing until then.
The names are those of English, German, French, Spanish and Italian, and are compared
as the warehouse would call them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from ingest.seed.metadata import UNDECIDED, target_name, words

Texts = Sequence[str]

# Families of types that may hold anything.
_OPEN = ("text", "binary", "json", "place")
# A varchar that is at least so long may hold a sentence, if no sample shows what it
# holds; a text of so many words is one.
_LONG = 100
_WORDS = 4


def _family(kind: str) -> str:
    name = kind.partition("(")[0]
    return {
        "varchar": "text",
        "integer": "number",
        "bigint": "number",
        "decimal": "number",
        "double": "number",
        "timestamp": "date",
        "timestamptz": "date",
        "geometry": "place",
    }.get(name, name)


# What stands between two words of a name: nothing, or `de`, as in `mot_de_passe`.
_BETWEEN = r"_?(?:(?:de|del|di|du|des|da|d|of|la|l)_?)*"
_SPELT = {" ": _BETWEEN, "#": "(o|r|um)", "ä": "ae?", "ö": "oe?", "ü": "ue?"}


def _names(stems: str, whole: str = "") -> re.Pattern[str]:
    """Stems anywhere in a name, and whole words of it.

    Where a stem has a blank two words meet, which a name may write apart or not; `#`
    is what a number is called after its n.
    """
    found = [" ".join(stem.split()) for stem in stems.split(",")]
    found = ["".join(_SPELT.get(c, c) for c in stem) for stem in found if stem]
    if whole:
        found.append(f"(^|_)({'|'.join(whole.split())})(_|$)")
    return re.compile("|".join(found))


# A class, families of types that it is looked for in, and names.
_Named = tuple[str, str, re.Pattern[str]]
# The first one holds: an IP address is no address, a token of an e-mail is a secret.
_NAMES: tuple[_Named, ...] = (
    (
        "secret",
        "text number binary json",
        _names(
            """
            passw, pass word, pass phrase, pass code, pass key, pasword, pwd, kennwort,
            losungswort, mot passe, phrase passe, frase paso, contrasen, palabra paso,
            palabra secreta,
            parola ordine, parola accesso, parola segreta, wachtwoord, geheimzahl,
            pin code, code pin, codigo pin, codice pin, security code, code securite,
            codigo seguridad, codice sicurezza, sicherheitscode, kartenprüf,
            security question, security answer, sicherheitsfrage, sicherheitsantwort,
            zugangsdaten, zugangscode, zugriffscode, access code, code acces,
            codigo acceso, codice accesso, one time code, recovery code, backup code,
            verification code, activation code, reset code, wiederherstellung,
            bestätigungscode, aktivierungscode, freischaltcode, cryptogramme,
            code recuperation, code verification,
            code activation, codigo recuperacion, codigo verificacion,
            codigo activacion, codice recupero, codice verifica, codice attivazione,
            credential, anmeldedaten, identifiants, credencial, credenzial
            """
        ),
    ),
    (
        "secret",
        "text binary json",
        _names(
            """
            hash(?!tag), md5, sha1, sha256, sha512, bcrypt, scrypt, argon2, pbkdf2,
            salt value, secret, segret, segred, geheim, token, jeton, gettone, api key,
            app key, access key,
            private key, priv key, signing key, session key, master key, encryption key,
            encrypt key, crypt key, ssh key, gpg key, pgp key, host key, license key,
            licence key, product key, auth key, shared key, webhook key, key pair,
            recovery key, reset key, verification key, activation key, key store,
            schlüssel, sleutel, cle api, cle prive, cle acces, cle ssh, cle chiffrement,
            cle activation, cle licence, clave api, clave priv, clave acceso,
            clave cifrado, clave ssh, clave licencia, clave activacion, llave api,
            llave priv,
            llave acceso, chave api, chave priv, chiave api,
            chiave priv, chiave accesso, chiave cifratura, chiave ssh, chiave licenza,
            encrypted, crypted, cipher, verschlüsselt, chiffre, cifrad, cifrat,
            session id, sitzung, id session, id sesion, id sessione, cookie, auth code,
            auth data, authori[sz]ation, connection string, pepper, two factor
            """,
            "pw pswd psw pass userpass dbpass mdp senha haslo parol pin otp totp hotp "
            "mfa tfa 2fa cvv cvv2 cvc cvc2 cvn csc puk tan tans hachage salt salz "
            "digest nonce hmac jwt bearer oauth csrf xsrf auth session sid dsn apikey "
            "seed_phrase pwhash pwdhash pwsalt",
        ),
    ),
    ("secret", "number", _names("", "pw pin otp totp cvv cvv2 cvc cvc2 cvn puk")),
    (
        "id",
        "text binary json",
        _names(
            """
            ip addr, addr ip, adresse ip, direccion ip, indirizzo ip, ip adresse,
            remote addr, remote host, client ip, user ip, mac addr, addr mac,
            adresse mac, direccion mac, indirizzo mac, mac adresse, device, gerät,
            appareil, dispositiv, terminal id, advertising id, android id, apple id,
            user agent, browser id, hardware id, machine id, finger print,
            fingerabdruck, empreinte, huella, impronta, biometr, face id, face print,
            voice print, retina
            """,
            "ip ips ipv4 ipv6 ipaddr mac imei imsi meid iccid udid idfa idfv gaid iris",
        ),
    ),
    ("id", "number", _names("", "ip ipv4 ip_num ip_addr ip_address imei imsi")),
    (
        "id",
        "text number binary",
        _names(
            """
            social security, social sec, soc sec, social insurance, national insurance,
            sozialversicherung, securite sociale, numero secu, seguridad social,
            seguro social, previdenza sociale, health insurance n#, krankenversicherung,
            versicher(te|u)n[a-z]*n#, carte vitale, tarjeta sanitaria,
            tessera sanitaria, krankenkasse, nhs n#, medicare, secu sociale, num secu,
            n secu, sv n#, burgerservice, national id, tax id, tax n#, tax payer,
            steuer id, steuer n#, steuer ident, numero fiscal, num fiscal,
            identifiant fiscal, codice fiscale, cod fiscale, identificacion fiscal,
            partita iva, passport, passeport, pasaporte, passaporto, paspoort,
            reisepass, pass n#, ausweis, carte identite, piece identite,
            documento identidad, cedula, carta identita, documento identita,
            identity card, identity n#, identity doc, id card, personal id,
            person id n#, personnummer, personal n#, driving licen, drivers? licen,
            driver s licen, führerschein, permis conduire, licencia conducir,
            carnet conducir, patente guida, licen[cs]e plate, number plate,
            kfz kennzeichen, kfz n#, vehicle registration, vehicle reg n#,
            nummernschild, immatriculation, plaque immat, placa vehiculo,
            matricula vehiculo, iban, account n#, bank account, bank acc, konto n#,
            kontoinhaber, bankkonto, bankverbindung, compte bancaire, num compte,
            numero compte, cuenta bancaria, num cuenta, numero cuenta, conto bancario,
            conto corrente, num conto, numero conto, routing n#, sort code,
            bankleitzahl, swift code, code swift, card n#, credit card, debit card,
            bank card, payment card, kreditkarte, karten n#, bankkarte, carte bancaire,
            carte credit, num carte, numero carte, tarjeta credito, tarjeta debito,
            tarjeta bancaria, num tarjeta, numero tarjeta, carta credito, carta debito,
            carta bancaria, num carta, numero carta, numero cb, rekening n#,
            cartao credito
            """,
            "ssn nino svnr nir nss insee dni nie nif curp rfc cpf tin itin bsn pesel "
            "bic swift rib blz pan ccn cc ccnum cc_num cc_no cb kennzeichen targa kto "
            "ktonr acct_no acct_num tarjeta kartennr steuernr taxid",
        ),
    ),
    (
        "email",
        "text json",
        _names(
            "e mail, courriel, correo, posta elettronica, adresse electronique,"
            "mail addr, mailadresse",
            "mail mails",
        ),
    ),
    (
        "phone",
        "text number json",
        _names(
            """
            phone n#, telephone, telefon, rufnummer, handy, mobil n#, mobile n#,
            mobil telefon, mobilfunk, numero portable, telf, movil, celular, cellulare,
            whats app, msisdn, fax n#, numero fax, durchwahl
            """,
            "phone mobile tel fax tlf cellphone mobilephone homephone workphone",
        ),
    ),
    ("phone", "text json", _names("phone", "cell portable mobil")),
    (
        "birth_date",
        "text number date",
        _names(
            "birth, geburt, geboren, naissance, nacimiento, nascita, nascimento,"
            "geboorte, date death, todestag, todesdatum",
            "dob bday gebdat gebdatum geb_datum ddn fecha_nac",
        ),
    ),
    (
        "address",
        "text json",
        _names(
            """
            address, adress, street, anschrift, stra(ss)?e, hausnummer, house n#,
            wohnort, wohnsitz, numero rue, rue numero, domicile, direccion, domicilio,
            indirizzo, residenza, residencia, numero civico, apartment, postal,
            code postal, post code, post leitzahl, codice postale, (^|_)adres, endereco,
            (^|_)geo(?!gra|met|log), gps, koordinat, coordonnee, coordenada,
            coord(?!inator), lat lon, lat lng, latitud, longitud, breitengrad,
            längengrad, standort, aufenthaltsort, geolokal, last location,
            current location, ubicacion, posizione
            """,
            "addr addr1 addr2 str zip zipcode plz rue calle avenida cp lat lon lng "
            "hometown",
        ),
    ),
    (
        "address",
        "number",
        _names(
            """
            post leitzahl, code postal, codigo postal, codice postale, postal code,
            post code, latitud, longitud, breitengrad, längengrad,
            (^|_)geo(?!gra|met|log), gps, hausnummer, house n#, coord(?!inator)
            """,
            "plz zip zip_code zipcode lat lon lng",
        ),
    ),
    (
        "address",
        "place binary",
        _names(
            "location, position, coord, koordinat, geo, gps, standort, ubicacion,"
            "posizione, posicion, emplacement, address, adress, home",
            "lat lon lng",
        ),
    ),
    (
        "name",
        "text json",
        _names(
            """
            first name, last name, full name, given name, family name, middle name,
            maiden name, sur name, nick name, nice name, display name, contact name,
            customer name, user name, person name, fore name, legal name, real name,
            login name, screen name, employee name, patient name, card holder,
            account holder, vorname, nachname, familienname, benutzername, spitzname,
            ansprechpartner, kundenname, rufname, karteninhaber, prenom, nom famille,
            nom complet, nom client, nom utilisateur, nom usage, nom jeune fille,
            titulaire, surnom, apellido, nombre completo, nombre usuario,
            nombre cliente, nombre pila, titular, cognome, nome completo, nome utente,
            nome cliente, nome battesimo, nome proprio, intestatario, soprannome,
            pseudonym, voornaam, achternaam
            """,
            "fname lname username login logon handle apodo usuario utente utilisateur "
            "benutzer",
        ),
    ),
    (
        "free_text",
        "text json",
        _names(
            """
            kommentar, bemerkung, anmerkung, notiz, nachricht, commentaire, remarque,
            comentario, observacion, mensaje, commento, commenti, osservazion,
            messaggio, annotazion, feed back, beschwerde, complaint, rückmeldung
            """,
            "note notes comment comments remark remarks message messages nota notas "
            "avis reclamo annotation annotations",
        ),
    ),
)
# What the name tells where the table is one of persons.
_IN_PEOPLE: tuple[_Named, ...] = (
    ("name", "text", _names("", "name names nom nombre nome naam initials")),
    (
        "secret",
        "text binary",
        _names("", "clave llave cle parola chiave key sel sal contra"),
    ),
    ("address", "text", _names("", "via cap ort")),
)
# And where it is one of secrets, which may call them as it likes.
_IN_SECRETS: tuple[_Named, ...] = (
    ("secret", "text binary json", _names("", "key value code data payload")),
)
_OF_SECRETS = _names("token, secret, password, passwort, credential, api key, oauth")
# What concerns some people deeply, and is harmless elsewhere: a person decides.
_DELICATE = _names(
    """
    salary, salaries, gehalt, salaire, salario, stipendi, income, einkommen, gender,
    geschlecht, religio, konfession, ethni, nationality, nationalite, staatsangehörig,
    nacionalidad, nazionalita, citizenship, marital, familienstand, etat civil,
    situation familiale, estado civil, stato civile, diagnos, krankheit, maladie,
    enfermedad, malattia, allerg, blood type, blood group, blutgruppe, groupe sanguin,
    grupo sanguineo, gruppo sanguigno, disabilit, behinderung, handicap, discapacidad,
    political, gewerkschaft, syndicat, sindicato, orientation sexuelle, sexual, medical,
    medizinisch, criminal, vorstrafe, credit score, schufa
    """,
    "lohn wage wages sex sexe sexo sesso genere race rasse pregnant schwanger",
)
# Texts that are called like a person, or say who did something.
_WHO = re.compile(
    r"(^|_)(actor|author|customer|user|person|employee|contact|manager|owner|client"
    r"|member|patient|student|passenger|driver|kunde|mitarbeiter|benutzer|employe"
    r"|auteur|cliente|empleado|usuario|autor|autore|utente|dipendente)(s|n|en|i)?$"
    r"|(created|updated|modified|changed|assigned|reported|approved|signed)_(by|to)$"
)
# What is a secret, or says who somebody is, in one table and neither in another.
_AMBIGUOUS = _names(
    """
    signature, unterschrift, certificate, zertifikat, certificat, serial n#,
    seriennummer, numero serie, numero seriale, invite code, magic link, mnemonic,
    wallet, prüfziffer, embedding, licencia, matricula, patente, ust id, vat id, vat n#,
    visa n#
    """,
    "clave llave cle chiave sel sal losung firma tessera rut vin dna morada frase",
)
_PEOPLE = re.compile(
    r"customer|user|person|people|employee|contact|staff|(^|_)(actor|author|member|guest"
    r"|client|agent|driver|reader|player|tenant|owner)s?(_|$)|patient|student|passenger"
    r"|account_?holder|applicant|candidate|subscriber|teacher|visitor|resident"
    r"|kunde|benutzer|mitarbeiter|angestellte|mitglied|kontakt|schue?ler|bewerber"
    r"|utilisateur|employe|personne|adherent|abonne|etudiant|eleve|salarie"
    r"|usuario|cliente|empleado|persona|paciente|alumno|miembro|socio|pasajero"
    r"|utente|dipendente|persone|paziente|studente|membro|contatt|passegger"
)
# A column that only says something of one: how many, of which kind, whether.
_ABOUT = re.compile(
    r"(^|_)(counts?|counter|type|kind|algorithm|algo|length|len|size|attempts?|tries"
    r"|rate|version|strength|iterations|rounds|cost|expiry|expires|expiration|ttl"
    r"|status|state|enabled|required|policy|format|total|sum|anzahl|typ|art|cantidad"
    r"|intentos|limit|limits|currency|usage|used|provider|scheme)$"
)
# What has a number made of it elsewhere: `address_id`, `device_id` name another row.
_REFERS = re.compile(r"(^|_)(ids?|fk|ref)$")
_OF_PERSONS = re.compile(r"national|tax|personal|steuer|identi|passport|social|fiscal")
_HEX = re.compile(r"([0-9a-f]{2}){16,64}|([0-9A-F]{2}){16,64}")
_CREDENTIAL = re.compile(
    # A hash in the forms that crypt, Django, LDAP and MySQL write
    r"\$[\w-]+\$\S+|\w+\$\d+\$\S+\$\S+|\{\w+\}[\w+/=]{16,}|\*[0-9A-F]{40}"
    # JSON web tokens, keys of cloud providers and code forges, PEM
    r"|eyJ[\w-]+\.[\w-]+(\.[\w-]*)?|(AKIA|ASIA)[A-Z0-9]{16}|gh[a-z]_\w{30,}"
    r"|glpat-[\w-]+|(sk|pk|rk)_(live|test)_\w+|xox[a-z]-[\w-]+|sk-[\w-]{20,}"
    r"|-----BEGIN [A-Z ]+-----.*",
    re.DOTALL,
)
_RANDOM = re.compile(r"[\w+/=.~-]{24,}")
_NUMBER = re.compile(r"[\d -]{13,23}")
_LOOKS_LIKE = {
    "email": re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+"),
    "id": re.compile(
        # IBAN; addresses of IP, 4 and 6, and of network cards; an American SSN
        r"[A-Z]{2}\d{2} ?([A-Z0-9]{4} ?){2,7}[A-Z0-9]{1,4}|(\d{1,3}\.){3}\d{1,3}"
        r"|(?=(.*:){2})[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*|([0-9A-Fa-f]{2}-){5}[0-9A-Fa-f]{2}"
        r"|\d{3}-\d{2}-\d{4}"
    ),
    "address": re.compile(
        r"-?\d{1,2}\.\d{3,}\s*[,; ]\s*-?\d{1,3}\.\d{3,}|POINT ?\(.*\)"
    ),
    "phone": re.compile(r"(?=(.*\d){8})\+?[\d\s()./-]{8,20}"),
}
_TIME = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?|\d{4}-\d{2}-\d{2}.*")


def class_of(table: str, column: str, kind: str, texts: Texts = ()) -> str:
    """The class of a column by its name, else by its texts; '' where none is seen.

    `kind` is its canonical type, or enum, `texts` a sample. What only a person can
    tell is `undecided`.
    """
    sure, unsure = _by_name(
        target_name(words(column)),
        _family(kind),
        (*(_IN_PEOPLE if is_of_persons(table) else ()), *_of_secrets(table)),
    )
    if found := sure or _class_of_texts(texts) or unsure:
        return found
    # Its name says nothing to whoever wrote these.
    is_unreadable = not re.search("[A-Za-z]", column)
    return UNDECIDED if is_unreadable and _family(kind) in _OPEN else ""


@lru_cache(maxsize=10_000)
def _by_name(name: str, family: str, more: tuple[_Named, ...]) -> tuple[str, str]:
    """The class that a name tells, and `undecided` where it may mean one.

    `more` is what the table adds to what all names mean.
    """
    is_about = bool(_ABOUT.search(name))
    is_number = family == "number"
    if is_number and _REFERS.search(name) and not _OF_PERSONS.search(name):
        return "", ""
    if not is_about:
        for label, families, pattern in (*_NAMES, *more):
            if family in families.split() and pattern.search(name):
                return label, ""
    is_asked = _DELICATE.search(name) or (
        not is_about
        and family in _OPEN
        and (_AMBIGUOUS.search(name) or (family == "text" and _WHO.search(name)))
    )
    return "", UNDECIDED if is_asked else ""


def _of_secrets(table: str) -> tuple[_Named, ...]:
    return _IN_SECRETS if _OF_SECRETS.search(target_name(words(table))) else ()


def _class_of_texts(texts: Texts) -> str:
    values = [text.strip() for text in texts]
    enough = max(5, 0.8 * len(values))
    if sum(map(_is_secret, values)) >= enough:
        return "secret"
    if sum(map(_is_card, values)) >= enough:
        return "id"
    for label, pattern in _LOOKS_LIKE.items():
        fits = sum(
            bool(pattern.fullmatch(v)) and not _TIME.fullmatch(v) for v in values
        )
        if fits >= enough:
            return label
    return ""


def _is_secret(text: str) -> bool:
    """Whether it is a hash or a token in the forms that programs write."""
    if _CREDENTIAL.fullmatch(text):
        return True
    if _HEX.fullmatch(text):
        return bool(re.search("[a-fA-F]", text))
    return bool(
        _RANDOM.fullmatch(text)
        # Chance puts all three kinds of characters into it; words do not.
        and re.search("[a-z]", text)
        and re.search("[A-Z]", text)
        and len(re.findall(r"\d", text)) >= 3
        and not re.search(r"\.\w{2,4}$|[A-Z]?[a-z]{7,}", text)
    )


def _is_card(text: str) -> bool:
    """Whether it is a card's number: 13 to 19 digits whose check digit is right."""
    if not _NUMBER.fullmatch(text):
        return False
    digits = [int(c) for c in text if c.isdigit()]
    if not 13 <= len(digits) <= 19 or digits[0] not in (2, 3, 4, 5, 6):
        return False
    doubled = [d * 2 - 9 * (d > 4) for d in digits[-2::-2]]
    return (sum(doubled) + sum(digits[::-2])) % 10 == 0


def is_of_persons(table: str, classes: Iterable[str] = ()) -> bool:
    """Whether a table is one of persons by its name, or a class of its columns."""
    return bool(_PEOPLE.search(target_name(words(table)))) or any(classes)


def is_open(kind: str, texts: Texts = ()) -> bool:
    """Whether a column may hold anything at all: free text, bytes, a place on earth.

    A sample of short texts shows that it does not.
    """
    family = _family(kind)
    if family != "text":
        return family in _OPEN
    if len(texts) >= 5:
        spoken = sum(len(text.split()) >= _WORDS for text in texts)
        return spoken >= 0.1 * len(texts)
    length = re.fullmatch(r"varchar\((\d+)\)", kind)
    return length is None or int(length[1]) >= _LONG
